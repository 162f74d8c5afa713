import type { Collection, Metric } from "../collection.ts";
import type { IndexScan, SearchState, ServingIndex } from "../item-ports.ts";
import { scanAtEffort } from "../recall/effort.ts";
import type { Effort } from "../recall/recall.ts";
import { chooseEffort, expectedRecall, type ChosenEffort } from "./choose-effort.ts";
import { MAX_EF_SEARCH, servesMetric } from "./search-plan.ts";
import type { SearchQuery } from "./search-query.ts";

/** How an index serves a search. */
export interface ChosenIndex {
  scan: IndexScan;
  /** Undefined where the caller named the effort. */
  recallTarget: number | undefined;
  /** recall@k that measurements let expect; undefined where there are none. */
  expectedRecall: number | undefined;
  /** Why this effort, in a sentence. */
  reason: string;
  /** Why comparing every row that passes is the better answer, in a sentence; undefined where it is not. */
  exactInstead?: string | undefined;
}

export interface IndexWanted {
  collection: Pick<Collection, "elementType" | "recallTarget">;
  metric: Metric;
  state: Pick<SearchState, "indexes" | "estimatedRows">;
  /** Hits, or groups. */
  wanted: number;
  /** How many of the nearest items are looked at first for them, at least as many. */
  candidateLimit: number;
  /** Share of the rows that pass the filter; 1 without one. */
  selectivity: number;
}

/** Fewer queries cannot tell that an index falls short: even if all of them find everything, no high target is certain. */
const TELLING_QUERIES = 100;
/** An answer that is certain may take so many times as long as the one that most is expected of. */
const EXACT_FACTOR = 4;

type Asked = Pick<SearchQuery, "exact" | "efSearch" | "probes" | "recallTarget">;

/**
 * The index for a search and how hard it is to be scanned; undefined when none serves, or none is wanted. Of several, the one that was
 * measured to reach the target in the least time; where none was, the one that is preferred by the order of the state.
 */
export function chooseIndex(query: Asked, wanted: IndexWanted): ChosenIndex | undefined {
  if (query.exact) return undefined;
  const { collection, metric, state } = wanted;
  const serving = state.indexes.filter((index) => servesMetric(index, metric, collection));
  if (query.efSearch !== undefined || query.probes !== undefined)
    return byNamedEffort(query, serving, wanted);
  const target = query.recallTarget ?? collection.recallTarget;
  const { wanted: k, selectivity } = wanted;
  const choices = serving.map((index) => ({
    index,
    chosen: chooseEffort(index, index.curves, { target, k, selectivity }),
  }));
  const best = choices.toSorted((a, b) => timeOf(a.chosen) - timeOf(b.chosen))[0];
  if (!best) return undefined;
  return {
    scan: scanOf(best.index, best.chosen.effort, wanted),
    recallTarget: target,
    expectedRecall: best.chosen.expectedRecall,
    reason: reasonOf(best.index, best.chosen, target),
    exactInstead: exactReason(best.index, best.chosen, target, wanted),
  };
}

/** Where no effort was measured to meet the target for certain, an exact search meets it, if it does not take much longer. */
function exactReason(
  { name }: ServingIndex,
  { curve, met, ms }: ChosenEffort,
  target: number,
  { selectivity, state }: IndexWanted,
): string | undefined {
  if (met || !curve || ms === undefined || curve.queries < TELLING_QUERIES) return undefined;
  const growth = Math.max(1, state.estimatedRows / Math.max(1, curve.rows));
  const exactMs = curve.exactMs * growth * Math.max(1, selectivity / curve.selectivity);
  if (exactMs > EXACT_FACTOR * ms) return undefined;
  return `${name} was not measured to reach recall ${target} for certain with any effort, and comparing every row takes some ${exactMs.toPrecision(2)} ms where its scan takes ${ms.toPrecision(2)}.`;
}

/** Those of which it is not known that they meet the target come last. */
function timeOf({ met, ms }: ChosenEffort): number {
  return met && ms !== undefined ? ms : Number.MAX_VALUE;
}

/** Whoever names probes wants an IVFFlat index, whoever names ef_search an HNSW one; of those, whole vectors before quantised ones. */
function byNamedEffort(
  query: Asked,
  serving: readonly ServingIndex[],
  wanted: IndexWanted,
): ChosenIndex | undefined {
  const method = query.probes === undefined ? "hnsw" : "ivfflat";
  const index = serving.find((each) => each.method === method) ?? serving[0];
  if (!index) return undefined;
  const { wanted: k, selectivity, collection } = wanted;
  const named =
    index.method === "hnsw" ? query.efSearch : index.method === "ivfflat" ? query.probes : undefined;
  const effort =
    named ?? chooseEffort(index, index.curves, { target: collection.recallTarget, k, selectivity }).effort;
  const chosen = scanOf(index, effort, wanted);
  // A small one is the caller's will, down to what a scan needs to give as many rows.
  const small = named !== undefined && chosen.method === "hnsw" && chosen.rerank === undefined;
  const scan = small ? { ...chosen, efSearch: Math.min(MAX_EF_SEARCH, Math.max(named, k)) } : chosen;
  return {
    scan,
    recallTarget: undefined,
    expectedRecall: expectedRecall(index.curves, effort, { k, selectivity }),
    reason:
      named === undefined
        ? `The effort that the caller named is none for a ${index.method} index; it is ${effortText(index, effort)}.`
        : "The caller named its effort.",
  };
}

/** Never fewer candidates than are looked at first: they would cut short what is found. */
function scanOf(index: ServingIndex, effort: Effort, { wanted, candidateLimit }: IndexWanted): IndexScan {
  const scan = scanAtEffort(index, effort, wanted);
  return scan.rerank === undefined ? scan : withRerank(scan, Math.max(scan.rerank, candidateLimit));
}

function withRerank(scan: IndexScan, rerank: number): IndexScan {
  if (scan.method !== "hnsw") return { ...scan, rerank };
  return { ...scan, rerank, efSearch: Math.min(MAX_EF_SEARCH, Math.max(scan.efSearch, rerank)) };
}

function reasonOf(index: ServingIndex, chosen: ChosenEffort, target: number): string {
  const { effort, curve, expectedRecall: expected, met } = chosen;
  const effortIs = effortText(index, effort);
  if (!curve || expected === undefined) {
    return `The index was never tuned: ${effortIs} is what usually reaches recall ${target}.`;
  }
  const under = curve.selectivity < 1 ? ` under filters that pass ${percent(curve.selectivity)}` : "";
  const tuned = `tuned on ${curve.queries} queries: ${expected.toFixed(3)} recall@${curve.k}${under} at ${effortIs}`;
  return met
    ? `The target is recall ${target}; ${tuned}.`
    : `No effort was measured to reach recall ${target} for certain, and so it is the one that finds most; ${tuned}.`;
}

function effortText({ method, quantization }: ServingIndex, effort: Effort): string {
  switch (method) {
    case "hnsw":
      return quantization === "binary" ? `${effort} candidates compared again` : `ef_search ${effort}`;
    case "ivfflat":
      return `${effort} probes`;
    case "diskann":
      return `a search list of ${effort}`;
  }
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
