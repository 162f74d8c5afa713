import type { Database } from "@kindred/postgres";
import type { Collection } from "../../domain/collection.ts";
import type { SearchState } from "../../domain/item-ports.ts";
import { INDEX_NAME, type VectorIndex } from "../../domain/vector-index.ts";
import { vectorIndexes, type TableIndex } from "./index-catalogue.ts";
import { bytesPerVector, estimateRows } from "./row-estimate.ts";
import { tableSql } from "./sql.ts";

/** Other replicas build and drop indexes too. A stale view costs speed and never a hit: short scans fall back. */
const FRESH_MS = 1000;
const MAX_KEPT = 1000;
const BYTES_PER_IMAGE = 150;

/** It belongs to no call, whose deadline would end it; somebody who holds a lock on the table can keep it waiting. */
const READ_TIMEOUT_MS = 2000;

/** Those of whole columns: an index of a cast or a quantisation is not found by the column's own operators. */
const SERVING = /^(vector|halfvec|bit)_(cosine|l2|ip|l1|hamming|jaccard)_ops$/;

type TableState = Omit<SearchState, "iterativeScans">;

/** What the searches of collections depend on. */
export interface SearchStates {
  /** Read at most once a second. */
  of(collection: Collection): Promise<TableState>;
  /** For who changes indexes: they are read again. */
  forget(): void;
}

export function searchStates(db: Database): SearchStates {
  const kept = new Map<string, { state: Promise<TableState>; at: number }>();
  const of = async (collection: Collection): Promise<TableState> => {
    const key = `${collection.name}\n${tableSql(collection.layout.vectors)}`;
    const known = kept.get(key);
    if (known && performance.now() - known.at < FRESH_MS) return await known.state;
    const entry = { state: readState(db, collection), at: performance.now() };
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(key, entry);
    try {
      return await entry.state;
    } catch (error) {
      if (kept.get(key) === entry) kept.delete(key);
      throw error;
    }
  };
  return { of, forget: () => kept.clear() };
}

async function readState(db: Database, { kind, dimensions, layout }: Collection): Promise<TableState> {
  const { indexes, estimatedRows, groups } = await db.transaction(
    async (client) => ({
      indexes: await vectorIndexes(client, layout.vectors),
      estimatedRows: await estimateRows(client, layout.vectors, bytesPerVector({ layout, dimensions })),
      groups:
        kind === "images" && layout.items
          ? await estimateRows(client, layout.items.table, BYTES_PER_IMAGE)
          : undefined,
    }),
    { readOnly: true, timeoutMs: READ_TIMEOUT_MS },
  );
  const serving = indexes.filter((index) => serves(index, layout.vector.column)).toSorted(byPreference);
  return {
    indexes: serving.map((index) => ({ ...index, curves: [] })),
    estimatedRows,
    estimatedGroups: groups ?? estimatedRows,
  };
}

function serves(index: TableIndex, column: string): boolean {
  const known = index.method === "hnsw" || index.method === "ivfflat";
  const whole = index.column === column && index.expression === undefined && !index.partial;
  return known && whole && index.valid && SERVING.test(index.operatorClass);
}

/** HNSW before IVFFlat, this service's own before others, those that were built with more effort before others. */
function byPreference(a: VectorIndex, b: VectorIndex): number {
  const rank = (index: VectorIndex): number[] => [
    Number(index.method === "hnsw"),
    Number(index.name === INDEX_NAME),
    Number(index.parameters["ef_construction"] ?? 0),
    Number(index.parameters["m"] ?? 0),
  ];
  const [left, right] = [rank(a), rank(b)];
  const differing = left.findIndex((value, i) => value !== right[i]);
  return differing < 0 ? 0 : (right[differing] as number) - (left[differing] as number);
}
