import type { Collection } from "../collection.ts";
import type { RecallCurve, RecallMeasurement } from "../recall/recall.ts";
import type { ForecastFacts } from "./forecast.ts";
import type { ServerFacts, TableFacts } from "./index-facts.ts";
import type { KnownIndex } from "./index-upkeep.ts";

export type AdviceRule =
  | "missing-index"
  | "invalid-index"
  | "list-drift"
  | "dead-tuples"
  | "recall-below-target"
  | "never-tuned"
  | "stale-tuning"
  | "never-analyzed"
  | "unused-duplicate"
  | "pgvector-version"
  | "memory"
  | "index-of-other-metric"
  | "policy-mismatch";

/** One thing that should be done. */
export interface IndexAdvice {
  collection: string;
  /** Undefined where it is about none. */
  indexName: string | undefined;
  severity: "info" | "warning" | "critical";
  rule: AdviceRule;
  /** What was found, with its numbers. */
  message: string;
  /** A command of `kindred`, or an SQL statement; undefined where there is none. */
  remedy: string | undefined;
  /** Whether the store is going to do it by itself. */
  automatic: boolean;
}

/** What is known of one collection when it is looked over. */
export interface CollectionState {
  collection: Collection;
  table: TableFacts;
  server: ServerFacts;
  indexes: readonly KnownIndex[];
  /** By the index's name. */
  curves: ReadonlyMap<string, readonly RecallCurve[]>;
  /** Of searches without a filter, the latest of each index as it is now. */
  measurements: ReadonlyMap<string, RecallMeasurement>;
  /** Below so many rows there is no index by itself. */
  minRows: number;
  limits: Pick<ForecastFacts, "memoryBytes" | "cores">;
}

/** Whether the store looks after the collection's indexes; never where that would stop everybody else. */
export function isAutomatic({ collection, server }: Pick<CollectionState, "collection" | "server">): boolean {
  return collection.indexPolicy.maintenance === "automatic" && server.online;
}

/** Those that searches by the collection's metric can scan. */
export function servingIndexes({
  collection,
  indexes,
}: Pick<CollectionState, "collection" | "indexes">): KnownIndex[] {
  return indexes.filter(
    (index) => canServe(index) && (index.quantization === "binary" || index.metric === collection.metric),
  );
}

export function canServe(index: KnownIndex): boolean {
  return index.valid && index.searchable && !index.partial;
}

/** The rows that an index was last known to be right for, by what the store has built, or by the curve. */
export function rowsAtTuning(state: Pick<CollectionState, "curves">, index: KnownIndex): number | undefined {
  return state.curves.get(index.name)?.[0]?.rows;
}
