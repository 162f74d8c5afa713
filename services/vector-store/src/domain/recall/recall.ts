import type { CallLimits } from "../ports.ts";

/** Where the queries of a measurement come from; "auto": recent ones as far as there are any, else stored ones. */
export type QueryOrigin = "auto" | "recent" | "stored" | "mixed";

/**
 * How hard an index scan looks: hnsw.ef_search; ivfflat.probes; diskann.query_search_list_size. Of a binary quantised HNSW index also how
 * many candidates are compared again by their whole vectors, which may be more than ef_search can be (pgvector's limit is 1,000).
 */
export type Effort = number;

export interface RecallPoint {
  effort: Effort;
  /** Mean recall@k. */
  recall: number;
  /** Lower end of its one-sided 95 % interval. */
  lower: number;
  /** Median time of a scan, in milliseconds. */
  ms: number;
}

/** Recall of an index by effort, as tuning found it. */
export interface RecallCurve {
  k: number;
  /** Share of the rows that pass the filter; 1 without one. */
  selectivity: number;
  /** By ascending effort. */
  points: readonly RecallPoint[];
  /** Median time of an exact search under the same filter, in milliseconds. */
  exactMs: number;
  queries: number;
  recentQueries: number;
  /** Estimated rows at the time. */
  rows: number;
  tunedAt: Date;
}

export interface RecallMeasurement {
  id: bigint;
  collection: string;
  indexName: string;
  k: number;
  effort: Effort;
  selectivity: number;
  recall: number;
  lower: number;
  upper: number;
  confidence: number;
  queries: number;
  recentQueries: number;
  /** Medians, in milliseconds. */
  indexMs: number;
  exactMs: number;
  /** Undefined where the effort was named. */
  recallTarget: number | undefined;
  rows: number;
  measuredAt: Date;
}

export interface RecallEvent {
  id: bigint;
  met: boolean;
  recallTarget: number;
  measurement: RecallMeasurement;
  createdAt: Date;
}

/** An index as it was when it was measured: built again it has another oid, renamed another name. */
export interface MeasuredIndex {
  name: string;
  oid: number;
}

/** What was found out about recall, in the database. */
export interface RecallStore {
  /** Curves of a collection's indexes as they are now, by the index's name; those of indexes that were built again are gone. */
  curves(collection: string, limits: CallLimits): Promise<ReadonlyMap<string, readonly RecallCurve[]>>;
  /** Takes the place of the index's earlier ones. */
  keepCurves(
    collection: string,
    index: MeasuredIndex,
    curves: readonly RecallCurve[],
    limits: CallLimits,
  ): Promise<void>;
  /** Keeps it, and raises an event where it tells that the target is not met any more, or is met again. */
  keepMeasurement(
    measurement: Omit<RecallMeasurement, "id" | "measuredAt"> & { indexOid: number },
    limits: CallLimits,
  ): Promise<RecallMeasurement>;
  /** By descending id, below `beforeId`. */
  measurements(
    query: { collection: string; indexName: string | undefined; beforeId: bigint | undefined; limit: number },
    limits: CallLimits,
  ): Promise<RecallMeasurement[]>;
  /** Of each index that there is, as it is now: the last measurement for a target, of searches without a filter. */
  latest(limits: CallLimits): Promise<Pick<RecallMeasurement, "collection" | "indexName" | "recall">[]>;
  events(
    query: { collection: string | undefined; beforeId: bigint | undefined; limit: number },
    limits: CallLimits,
  ): Promise<RecallEvent[]>;
}
