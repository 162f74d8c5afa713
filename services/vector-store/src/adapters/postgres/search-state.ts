import type { Database } from "@kindred/postgres";
import { metricsOf, type Collection } from "../../domain/collection.ts";
import type { SearchState, ServingIndex } from "../../domain/item-ports.ts";
import type { RecallStore } from "../../domain/recall/recall.ts";
import { servesMetric } from "../../domain/search/search-plan.ts";
import { INDEX_NAME } from "../../domain/vector-index.ts";
import { vectorIndexes, type TableIndex } from "./index-catalogue.ts";
import { withoutRivals } from "./index-rivals.ts";
import { recallStore } from "./recall-store.ts";
import { bytesPerVector, estimateRows } from "./row-estimate.ts";
import { tableSql } from "./sql.ts";

/** Other replicas build and drop indexes too. A stale view costs speed and never a hit: short scans fall back. */
const FRESH_MS = 1000;
const MAX_KEPT = 1000;
const BYTES_PER_IMAGE = 150;

/** It belongs to no call, whose deadline would end it; somebody who holds a lock on the table can keep it waiting. */
const READ_TIMEOUT_MS = 2000;

type TableState = Omit<SearchState, "iterativeScans">;

/** What the searches of collections depend on. */
export interface SearchStates {
  /** Read at most once a second. */
  of(collection: Collection): Promise<TableState>;
  /** For who changes indexes: they are read again. */
  forget(): void;
}

/** @param recall where curves of recall are read from */
export function searchStates(
  db: Database,
  recall: Pick<RecallStore, "curves"> = recallStore(db),
): SearchStates {
  const kept = new Map<string, { state: Promise<TableState>; at: number }>();
  const of = async (collection: Collection): Promise<TableState> => {
    const key = `${collection.name}\n${tableSql(collection.layout.vectors)}`;
    const known = kept.get(key);
    if (known && performance.now() - known.at < FRESH_MS) return await known.state;
    const entry = { state: readState(db, recall, collection), at: performance.now() };
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

async function readState(
  db: Database,
  recall: Pick<RecallStore, "curves">,
  collection: Collection,
): Promise<TableState> {
  const { kind, dimensions, layout } = collection;
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
  const limits = { timeoutMs: READ_TIMEOUT_MS };
  const serving = indexes.filter((index) => serves(index, collection)).toSorted(byPreference);
  const scanned = await withoutRivals(db, collection, serving, limits);
  const curves = scanned.length === 0 ? undefined : await recall.curves(collection.name, limits);
  return {
    indexes: scanned.map((index): ServingIndex => ({ ...index, curves: curves?.get(index.name) ?? [] })),
    estimatedRows,
    estimatedGroups: groups ?? estimatedRows,
  };
}

/** Whether searches by some metric find it: a quantised one only where it is of as many dimensions as statements say. */
function serves(index: TableIndex, collection: Collection): boolean {
  const { dimensions, layout } = collection;
  if (!index.searchable || index.column !== layout.vector.column) return false;
  if (index.dimensions !== undefined && index.dimensions !== dimensions) return false;
  return metricsOf(collection.elementType).some((metric) => servesMetric(index, metric, collection));
}

const METHODS: Record<TableIndex["method"], number> = { hnsw: 2, diskann: 1, ivfflat: 0 };
const QUANTIZATIONS: Record<TableIndex["quantization"], number> = { none: 1, halfvec: 1, binary: 0 };

/**
 * Where nothing was measured: whole vectors and those of half precision before binary quantised ones, HNSW before DiskANN before
 * IVFFlat, this service's own before others, those that were built with more effort before others, half precision, which takes half the
 * time and finds as much (docs/adr/0021), before whole vectors.
 */
function byPreference(a: TableIndex, b: TableIndex): number {
  const rank = (index: TableIndex): number[] => [
    QUANTIZATIONS[index.quantization],
    METHODS[index.method],
    Number(index.name === INDEX_NAME),
    Number(index.parameters["ef_construction"] ?? 0),
    Number(index.parameters["m"] ?? 0),
    Number(index.quantization === "halfvec"),
  ];
  const [left, right] = [rank(a), rank(b)];
  const differing = left.findIndex((value, i) => value !== right[i]);
  return differing < 0 ? 0 : (right[differing] as number) - (left[differing] as number);
}
