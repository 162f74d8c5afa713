import type { CatalogueState } from "./ports.ts";
import type { Scan, SearchQuery } from "./search-query.ts";

/** pgvector's limit of hnsw.ef_search. */
export const MAX_EF_SEARCH = 1000;

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
 * How many of the nearest embeddings to look at first for k hits. Images have several embeddings each, and the nearest
 * often are of the same few images; half as many again as the average leaves few searches short.
 */
export function firstCandidateLimit(
  query: Pick<SearchQuery, "k" | "hitPerEmbedding">,
  state: Pick<CatalogueState, "estimatedEmbeddings" | "estimatedImages">,
): number {
  if (query.hitPerEmbedding) return query.k;
  const perImage = state.estimatedEmbeddings / Math.max(1, state.estimatedImages);
  return Math.ceil(query.k * Math.max(2, 1.5 * perImage));
}

/** How many to look at when those were too few, because some image has very many embeddings. */
export function nextCandidateLimit(limit: number): number {
  return limit * WIDENING;
}

/**
 * Up to how many matching rows an exact scan of just them is cheaper than the index. The index has to pass some
 * `candidates x total / matching` rows to meet that many matching ones, at least ef_search; an exact scan looks at `matching`.
 * They cost the same where matching^2 = cost x candidates x total.
 */
export function exactRowBound(candidates: number, totalRows: number, efSearch: number): number {
  return Math.ceil(Math.max(HNSW_ROW_COST * efSearch, Math.sqrt(HNSW_ROW_COST * candidates * totalRows)));
}

/** The index can serve cosine searches only; whoever names an ef_search asks for it. */
export function indexScan(
  query: SearchQuery,
  state: CatalogueState,
): (Scan & { method: "hnsw" }) | undefined {
  if (!state.index || query.exact || query.metric !== "cosine") return undefined;
  const efSearch =
    query.efSearch === undefined
      ? defaultEfSearch(state.index.parameters, query.k)
      : Math.min(MAX_EF_SEARCH, Math.max(query.efSearch, query.k));
  return { method: "hnsw", indexName: state.index.name, efSearch, maxScanTuples: MAX_SCAN_TUPLES };
}
