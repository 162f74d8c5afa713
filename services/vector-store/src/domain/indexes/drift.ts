import { defaultLists } from "./build-parameters.ts";
import type { CollectionState } from "./index-advice.ts";
import { rowsAtTuning } from "./index-advice.ts";
import type { KnownIndex } from "./index-upkeep.ts";

// When an index does not fit its table any more. The advisor tells of it, and the automatic policy acts on it.

/** Lists that are so many times too many or too few cost more than building them again. */
const LIST_FACTOR = 3;
/** Centres of fewer rows than half of those that there are stand where vectors were, and not where they are. */
const GROWTH_FACTOR = 2;
/** Below, neither lists nor recall are of interest. */
export const LEAST_ROWS = 1000;
/** Recall at the same effort falls as rows come in. */
const STALE_SHARE = 0.3;
const DEAD_SHARE = 0.2;
const REBUILD_DEAD_SHARE = 0.5;
const LEAST_DEAD = 1000;

export interface ListDrift {
  lists: number;
  /** That it should have. */
  wanted: number;
  rowsAtBuild: number | undefined;
}

/** Undefined where an index has about as many lists as it should have, and centres where the vectors are. */
export function listDrift({ table, collection }: CollectionState, index: KnownIndex): ListDrift | undefined {
  const lists = Number(index.parameters["lists"]);
  if (index.method !== "ivfflat" || table.rows < LEAST_ROWS || !Number.isFinite(lists)) return undefined;
  const byPolicy = collection.indexPolicy.kind === "ivfflat" ? collection.indexPolicy.lists : undefined;
  const wanted = byPolicy ?? defaultLists(table.rows);
  const rowsAtBuild = index.built?.rows;
  const off = Math.max(lists / wanted, wanted / lists) >= LIST_FACTOR;
  const grown = rowsAtBuild !== undefined && rowsAtBuild > 0 && table.rows >= GROWTH_FACTOR * rowsAtBuild;
  return off || grown ? { lists, wanted, rowsAtBuild } : undefined;
}

export function isTuned(state: CollectionState, index: KnownIndex): boolean {
  return (state.curves.get(index.name)?.length ?? 0) > 0;
}

/** How far the number of rows is from what it was at the tuning, as a share of that; undefined where that is little. */
export function staleTuning(
  state: CollectionState,
  index: KnownIndex,
): { rows: number; share: number } | undefined {
  const rows = rowsAtTuning(state, index);
  if (rows === undefined || rows === 0) return undefined;
  const share = Math.abs(state.table.rows - rows) / rows;
  return share > STALE_SHARE ? { rows, share } : undefined;
}

/** The share of rows that are dead; undefined where that is little. */
export function deadShare({ table }: Pick<CollectionState, "table">): number | undefined {
  const { deadTuples, liveTuples } = table;
  const share = deadTuples / Math.max(1, deadTuples + liveTuples);
  return deadTuples >= LEAST_DEAD && share >= DEAD_SHARE ? share : undefined;
}

/** So many dead rows that building an HNSW index again is quicker than having VACUUM repair its graph (pgvector's README, on vacuuming). */
export function wantsRebuildForDead(share: number, index: KnownIndex): boolean {
  return index.method === "hnsw" && share >= REBUILD_DEAD_SHARE;
}
