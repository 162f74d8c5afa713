import type { Collection, Metric } from "../collection.ts";
import type { ItemQuery } from "../item-ports.ts";
import type { PackedVector } from "../packed-vector.ts";
import type { CallLimits } from "../ports.ts";
import type { VectorIndex } from "../vector-index.ts";

// What measuring recall asks of the world. Implementations throw KindredErrors.

/** What is asked of a snapshot: the keys and distances of the nearest items, and nothing else of them. */
export type ProbeQuery = Pick<ItemQuery, "scan" | "candidateLimit" | "sampledShare"> & {
  metric: Metric;
  vector: PackedVector;
};

export interface ProbeAnswer {
  /** By ascending distance, at most the candidate limit; items without a comparable vector are left out. */
  nearest: { key: string; distance: number }[];
  /** How long the database took, with the way to it, in milliseconds. */
  ms: number;
}

/** One state of a collection, whatever others write meanwhile. */
export interface RecallSnapshot {
  /** @throws KindredError failed-precondition when PostgreSQL does not scan the index that the query names */
  ask(query: ProbeQuery): Promise<ProbeAnswer>;
}

/** Answers queries exactly and by index scans from one snapshot. */
export interface RecallProbe {
  /**
   * A read-only transaction on one connection, in which queries run one after the other, each in one process of the database. It
   * keeps VACUUM from cleaning up behind it: it should take seconds.
   */
  inSnapshot<T>(
    collection: Collection,
    work: (snapshot: RecallSnapshot) => Promise<T>,
    limits: CallLimits,
  ): Promise<T>;
  /**
   * A valid index of the collection's vectors; undefined: the one that searches by the collection's metric prefer.
   * @throws KindredError not-found when there is none of this name; failed-precondition when there is none at all, or it serves no search
   */
  index(collection: Collection, name: string | undefined, limits: CallLimits): Promise<VectorIndex>;
  /** As PostgreSQL estimates them. */
  estimatedRows(collection: Collection): Promise<number>;
}

/** Where queries to measure with are from. */
export interface QuerySamples {
  /** Stored vectors, chosen at random; fewer where there are no more. */
  stored(collection: Collection, count: number, limits: CallLimits): Promise<PackedVector[]>;
  /** Vectors of late searches in the collection's present space, chosen at random; fewer where there are no more. */
  recent(collection: Collection, count: number, limits: CallLimits): Promise<PackedVector[]>;
}
