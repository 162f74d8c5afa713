import { vectorBytes, type Collection, type Metric } from "../collection.ts";
import type { IndexScan, ItemSearch } from "../item-ports.ts";
import type { PackedVector } from "../packed-vector.ts";
import type { CallLimits } from "../ports.ts";
import { MAX_SCAN_TUPLES } from "../search/search-plan.ts";
import type { VectorIndex } from "../vector-index.ts";
import { partitionIndexName } from "./index-names.ts";

const K = 10;
const EFFORT = 100;
/** Nobody scans more at once. */
const MOST_PARTITIONS = 1024;

/** How the planner would answer a search by the index. */
export type IndexUse =
  | { used: true }
  /** The name of the other index, where it scans one. */
  | { used: false; instead: string | undefined };

/**
 * Asks PostgreSQL's planner, without running anything, whether a search of the index's metric scans it.
 */
export async function indexUse(
  { search }: { search: Pick<ItemSearch, "explain"> },
  collection: Collection,
  index: VectorIndex,
  metric: Metric,
  limits: CallLimits,
): Promise<IndexUse> {
  const explained = await search.explain(
    {
      collection,
      vector: ones(collection),
      metric,
      filter: undefined,
      excludedKeys: [],
      group: undefined,
      k: K,
      candidateLimit: K,
      scan: scanOf(index),
      projection: { vector: false, metadata: "none", document: false },
    },
    { analyze: false },
    limits,
  );
  const scanned = indexesInPlan(explained?.plan ?? "");
  const parts = partNames(index.name);
  if (scanned.some((name) => name === index.name || parts.has(name))) return { used: true };
  return { used: false, instead: scanned[0] };
}

/** Names of the indexes that a plan scans in their order. */
export function indexesInPlan(plan: string): string[] {
  return [...plan.matchAll(/Index Scan using (?:"((?:[^"]|"")+)"|(\S+)) on /g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? (plain as string),
  );
}

/** Of an index's parts in the partitions, which plans name instead of it. */
function partNames(name: string): ReadonlySet<string> {
  return new Set(
    Array.from({ length: MOST_PARTITIONS }, (_, position) => partitionIndexName(name, position)),
  );
}

/** A vector of ones: which vector is searched for makes no difference to the planner. */
function ones(collection: Collection): PackedVector {
  const bytes = new Uint8Array(vectorBytes(collection));
  if (collection.elementType === "bit") return bytes.fill(0xff);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < collection.dimensions; i++) view.setFloat32(4 * i, 1, true);
  return bytes;
}

function scanOf({ name, method, quantization, parameters }: VectorIndex): IndexScan {
  const rerank = quantization === "binary" ? EFFORT : undefined;
  const base = { indexName: name, quantization, rerank };
  switch (method) {
    case "hnsw":
      return { ...base, method, efSearch: EFFORT, maxScanTuples: MAX_SCAN_TUPLES };
    case "ivfflat":
      return { ...base, method, probes: 1, maxProbes: Number(parameters["lists"]) || 1 };
    case "diskann":
      return { ...base, method, searchListSize: EFFORT };
  }
}
