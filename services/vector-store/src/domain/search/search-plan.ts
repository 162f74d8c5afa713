import type { Collection, Metric } from "../collection.ts";
import { indexedType } from "../indexes/index-spec.ts";
import type { IndexScan } from "../item-ports.ts";
import type { VectorIndex } from "../vector-index.ts";

/** pgvector's limit of hnsw.ef_search. */
export const MAX_EF_SEARCH = 1000;

/** pgvector's limit of ivfflat.probes, which is that of lists. */
export const MAX_PROBES = 32_768;

/** hnsw.max_scan_tuples: pgvector's default of 20,000, and room for filters that pass one row in a thousand. */
export const MAX_SCAN_TUPLES = 60_000;

/**
 * What one row of an HNSW scan costs, in rows of an exact scan. Measured on 25,000 x 384: see docs/adr/0009.
 */
const HNSW_ROW_COST = 10;

/** A search that comes out short looks at so many times as many candidates next. */
const WIDENING = 8;

/**
 * ef_search that reaches recall@10 of 0.95 on 25,014 COCO captions: 200 for an index with m 16 and ef_construction 200,
 * 400 for pgvector's default ef_construction of 64. Measured with pgvector 0.8.2; never below k, which caps what a scan returns.
 */
export function defaultEfSearch(parameters: Readonly<Record<string, string>>, k: number): number {
  const wellBuilt = Number(parameters["m"]) >= 16 && Number(parameters["ef_construction"]) >= 200;
  return Math.min(MAX_EF_SEARCH, Math.max(wellBuilt ? 200 : 400, k));
}

/**
 * pgvector's README begins at the square root of the lists. Five times that finds 0.95 of 25,014 captions in 158 lists for sentences of another kind,
 * where one, two and three times find 0.75, 0.85 and 0.90. Lists by Hamming distance tell less apart: ten times finds 0.945, all of them 0.96.
 */
export function defaultProbes(lists: number, ofBits: boolean): number {
  return Math.min(lists, Math.max(1, Math.ceil((ofBits ? 10 : 5) * Math.sqrt(lists))));
}

/**
 * How many of the nearest items to look at first for `wanted` hits or groups. Groups have several items each, and the nearest
 * often are of the same few groups; half as many again as the average leaves few searches short.
 */
export function firstCandidateLimit(
  wanted: number,
  grouping: { groupSize: number; itemsPerGroup: number } | undefined,
): number {
  if (!grouping) return wanted;
  return Math.ceil(wanted * Math.max(2, grouping.groupSize, 1.5 * grouping.itemsPerGroup));
}

/** An index scan under a filter finds so many times what is wanted, as far as that is few. */
const FILTER_OVERSAMPLING = 4;
const MOST_OVERSAMPLED = 400;

/**
 * How many items an index scan under a filter should find before it stops. It emits its rows in about the right order, and the first that
 * pass may be none of the nearest, above all where the filter passes what is far from the query: docs/adr/0021 has the figures.
 */
export function filteredCandidateLimit(limit: number): number {
  return Math.max(limit, Math.min(FILTER_OVERSAMPLING * limit, MOST_OVERSAMPLED));
}

/** How many to look at when those were too few, because some group has very many items. */
export function nextCandidateLimit(limit: number): number {
  return limit * WIDENING;
}

/**
 * Up to how many matching rows an exact scan of just them is cheaper than the index. The index has to pass some
 * `candidates x total / matching` rows to meet that many matching ones, at least ef_search; an exact scan looks at `matching`.
 * They cost the same where matching^2 = cost x candidates x total.
 */
export function exactRowBound(candidates: number, totalRows: number, scan: IndexScan): number {
  const least = scan.method === "hnsw" ? HNSW_ROW_COST * scan.efSearch : 0;
  return Math.ceil(Math.max(least, Math.sqrt(HNSW_ROW_COST * candidates * totalRows)));
}

const OPERATOR_CLASSES: Record<Metric, string> = {
  cosine: "cosine_ops",
  l2: "l2_ops",
  "inner-product": "ip_ops",
  l1: "l1_ops",
  hamming: "hamming_ops",
  jaccard: "jaccard_ops",
};

/** By what binary quantised vectors can stand in for whole ones: they keep the signs of numbers, which tell of directions, not of lengths. */
const METRICS_OF_SIGNS: readonly Metric[] = ["cosine", "inner-product"];

/**
 * Whether a search by this metric can scan the index. One of binary quantised vectors serves cosine and inner product: its candidates are
 * compared again. Of inner product, that holds as far as vectors are about equally long.
 */
export function servesMetric(
  { valid, partial, quantization, operatorClass }: VectorIndex,
  metric: Metric,
  collection: Pick<Collection, "elementType">,
): boolean {
  if (!valid || partial) return false;
  if (quantization === "binary") {
    return operatorClass === "bit_hamming_ops" && METRICS_OF_SIGNS.includes(metric);
  }
  return operatorClass === `${indexedType(collection, quantization)}_${OPERATOR_CLASSES[metric]}`;
}
