import type { Collection } from "../collection.ts";
import type { CallLimits } from "../ports.ts";
import type { VectorIndex } from "../vector-index.ts";
import type { BuiltIndex, StepContext } from "./index-ports.ts";
import type { IndexSpec } from "./index-spec.ts";

// What looking after indexes needs of the database beside building them.

/** A vector index of a collection, and what the store knows of it. */
export interface KnownIndex extends VectorIndex {
  /** Whether somebody is building it at this moment. */
  building: boolean;
  /** Whether the store built it, so that it may rename and drop it. */
  owned: boolean;
  /** Whether searches of the collection could scan it, were it valid: it holds all of every vector. */
  searchable: boolean;
  /** Undefined where the store keeps no record of its build. */
  built: { rows: number; at: Date } | undefined;
}

/** Indexes of collections, and the names that they have. */
export interface IndexUpkeep {
  /** Those of the vectors' column, by name; none where the table is gone. */
  list(collection: Collection, limits: CallLimits): Promise<KnownIndex[]>;
  /** Whether anything in the schema of the vectors' table has that name. */
  isTaken(collection: Collection, name: string, limits: CallLimits): Promise<boolean>;
  /**
   * Gives the index `from` the name `to`, with what is known of it, at once; the one that has that name is called `retired` then.
   * Does nothing where `from` is gone.
   * @throws KindredError failed-precondition when `to` or `retired` is not the store's own
   */
  swap(
    collection: Collection,
    names: { from: string; to: string; retired: string },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Builds the index again as it is, while others read and write where the server can do that; one build at a time among all replicas.
   * What an earlier try has left is removed first.
   * @param memoryBytes what the build needs; undefined: as the server is set
   * @throws KindredError not-found
   */
  rebuild(
    collection: Collection,
    name: string,
    memoryBytes: number | undefined,
    step: StepContext,
  ): Promise<BuiltIndex>;
  /** Brings the planner's statistics of the vectors' table up to date. */
  analyze(collection: Collection, signal: AbortSignal): Promise<void>;
  /**
   * Removes what builds of the store have left behind on which nobody works: INVALID indexes, and those that a swap has retired. Not
   * while another replica builds. What others have left is not touched.
   * @returns the names of those that are gone now
   */
  removeLeftovers(collection: Collection, signal: AbortSignal | undefined): Promise<string[]>;
}

/** Whether the index is as the spec says. */
export function satisfies(index: VectorIndex, spec: IndexSpec): boolean {
  const { parameters } = index;
  const number = (name: string): number => Number(parameters[name]);
  if (index.method !== spec.method || index.quantization !== spec.quantization || index.partial) return false;
  // A binary quantised one is the same for every metric.
  if (spec.quantization !== "binary" && index.metric !== spec.metric) return false;
  switch (spec.method) {
    case "hnsw":
      return number("m") === spec.m && number("ef_construction") === spec.efConstruction;
    case "ivfflat":
      return number("lists") === spec.lists;
    case "diskann":
      return (
        (spec.numNeighbors === undefined || number("num_neighbors") === spec.numNeighbors) &&
        (spec.searchListSize === undefined || number("search_list_size") === spec.searchListSize)
      );
  }
}
