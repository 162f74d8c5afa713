import { buildMemoryBytes, shapeOf } from "./index-size.ts";
import type { Collection, IndexPolicy } from "../collection.ts";
import type { BuildParameters, IndexMethod, IndexSpec, IndexWish, Quantization } from "./index-spec.ts";

// How an index is built where nobody says.

/** ivfflat.h: IVFFLAT_MAX_LISTS. */
const MAX_LISTS = 32_768;
const LISTS_BY_SQUARE_ROOT = 1_000_000;
const ROWS_PER_LIST = 1000;

/** pgvector's README: rows / 1000 up to a million rows, sqrt(rows) above. */
export function defaultLists(rows: number): number {
  const lists = rows <= LISTS_BY_SQUARE_ROOT ? rows / ROWS_PER_LIST : Math.sqrt(rows);
  return Math.min(MAX_LISTS, Math.max(1, Math.round(lists)));
}

/**
 * HNSW's parameters for a recall target. More than 16 neighbours gains little: on 25,014 COCO captions m 48 with ef_construction 400 took
 * nearly five times as long to build as 16 with 200, for recall@10 0.955 at 2.28 ms instead of 0.947 at 1.82.
 */
export function defaultGraph(recallTarget: number): { m: number; efConstruction: number } {
  if (recallTarget <= 0.97) return { m: 16, efConstruction: 200 };
  if (recallTarget <= 0.99) return { m: 24, efConstruction: 400 };
  return { m: 32, efConstruction: 400 };
}

/** The policy's numbers where the wish has none. */
export function wantedParameters(
  method: IndexMethod,
  wish: IndexWish,
  policy: Pick<IndexPolicy, "m" | "efConstruction" | "lists">,
  options: { recallTarget: number; rows: number },
): BuildParameters {
  switch (method) {
    case "hnsw":
      return { method, ...graphOf(wish, policy, options.recallTarget) };
    case "ivfflat":
      return { method, lists: wish.lists ?? policy.lists ?? defaultLists(options.rows) };
    case "diskann":
      return { method, numNeighbors: wish.numNeighbors, searchListSize: wish.searchListSize };
  }
}

/** ef_construction is at least 2 * m: whichever of them is wished for, the other one follows. */
function graphOf(
  wish: IndexWish,
  policy: Pick<IndexPolicy, "m" | "efConstruction">,
  recallTarget: number,
): { m: number; efConstruction: number } {
  const standard = defaultGraph(recallTarget);
  const policyM = fitting(policy.m, wish.efConstruction, (m, ef) => 2 * m <= ef);
  const m =
    wish.m ??
    policyM ??
    Math.min(standard.m, Math.floor((wish.efConstruction ?? policy.efConstruction ?? Infinity) / 2));
  const policyEf = fitting(policy.efConstruction, m, (ef, chosen) => 2 * chosen <= ef);
  return { m, efConstruction: wish.efConstruction ?? policyEf ?? Math.max(standard.efConstruction, 2 * m) };
}

function fitting(
  value: number | undefined,
  other: number | undefined,
  fits: (value: number, other: number) => boolean,
): number | undefined {
  return value === undefined || other === undefined || fits(value, other) ? value : undefined;
}

/**
 * The most lists, at most as many as the spec has, whose k-means fits into the memory: pgvector refuses to build more (IvfflatCheckMemoryUsage).
 */
export function listsThatFit(
  spec: IndexSpec & { method: "ivfflat" },
  collection: Pick<Collection, "dimensions" | "elementType">,
  { rows, memoryBytes }: { rows: number; memoryBytes: number },
): number {
  const fits = (lists: number): boolean =>
    buildMemoryBytes({ ...spec, lists }, shapeOf(collection, rows)) <= memoryBytes;
  if (fits(spec.lists)) return spec.lists;
  let [least, most] = [1, spec.lists];
  while (most - least > 1) {
    const middle = Math.floor((least + most) / 2);
    if (fits(middle)) least = middle;
    else most = middle;
  }
  return least;
}

/** What is chosen of the vectors where nobody says, the best first. */
export function preferredQuantizations(
  method: IndexMethod,
  { elementType }: Pick<Collection, "elementType">,
): Quantization[] {
  return method === "diskann" || elementType !== "vector"
    ? ["none", "binary"]
    : ["halfvec", "none", "binary"];
}
