import type { Collection } from "../collection.ts";
import type { OperationContext } from "../operations/operation.ts";
import type { CallLimits } from "../ports.ts";
import type { QueryOrigin, RecallCurve, RecallPoint } from "../recall/recall.ts";
import type { VectorIndex } from "../vector-index.ts";
import type { IndexSpec, IndexWish } from "./index-spec.ts";

// What planning, building, validating and looking after indexes ask of each other and of the world.

/** An index as it would be. */
export interface IndexForecast {
  spec: IndexSpec;
  sizeBytes: number;
  /** Memory that the build needs in the database; with less it takes many times as long. */
  buildMemoryBytes: number;
  buildMs: number;
  /** Whether buildMs was measured on a sample of the collection or on earlier builds. */
  calibrated: boolean;
  /** What speaks for it, and against it. */
  reasons: readonly string[];
}

export interface IndexPlan {
  /** Undefined where there should be none, which `reasons` say. */
  chosen: IndexForecast | undefined;
  /** The better ones first. */
  alternatives: readonly IndexForecast[];
  reasons: readonly string[];
  rows: number;
}

export interface IndexPlanner {
  /**
   * Makes a wish whole.
   * @param options.rows undefined: as many as there are, as estimated
   * @throws KindredError invalid-argument for what cannot be had: dimensions, metric, a method that is not installed
   */
  plan(
    collection: Collection,
    wish: IndexWish,
    options: { recallTarget: number; rows: number | undefined; calibrate: boolean },
    limits: CallLimits,
  ): Promise<IndexPlan>;
}

export interface PreflightCheck {
  name:
    "maintenance_work_mem" | "shared_memory" | "disk" | "extension" | "dimensions" | "writers" | "leftovers";
  outcome: "passed" | "warning" | "failed" | "unknown";
  message: string;
}

export interface BuiltIndex {
  index: VectorIndex;
  rows: number;
  /** 0 where it was there already. */
  buildMs: number;
}

/** What a step of an operation has of its context. */
export type StepContext = Pick<OperationContext, "signal" | "note"> & {
  /** Where the step stands: `detail` for people, e.g. "loading tuples". */
  report(progress: { detail: string; done: number; total: number; unit: string }): void;
};

/** Builds and drops indexes in the database. One build at a time among all replicas: others wait for their turn. */
export interface IndexBuilding {
  /** What a build of the forecast would find. */
  preflight(collection: Collection, forecast: IndexForecast, limits: CallLimits): Promise<PreflightCheck[]>;
  /**
   * Makes sure of a valid index of this name and spec on the table that the collection's layout names, while others read and write where
   * the server can do that. What an earlier try has left under this name is removed, or taken over where it is valid and as wanted.
   * When the signal is aborted, the build is cancelled, and its leftover removed as far as the database can be reached.
   */
  build(
    collection: Collection,
    spec: IndexSpec,
    name: string,
    forecast: IndexForecast | undefined,
    step: StepContext,
  ): Promise<BuiltIndex>;
  /** Does nothing where there is none. */
  drop(collection: Collection, name: string, signal: AbortSignal): Promise<void>;
}

/** How a tuned index does. */
export interface TunedIndex {
  curves: readonly RecallCurve[];
  /** The cheapest point of recall@10 without a filter whose lower end meets the target; undefined where none does. */
  reached: RecallPoint | undefined;
  /** The one of the largest recall. */
  best: RecallPoint;
}

/** Finds out which effort an index needs for which recall. */
export interface RecallTuner {
  /**
   * Keeps the curves, by which searches go from then on.
   * @throws KindredError failed-precondition when the index is not there, or too few rows to learn from
   */
  tune(
    collection: Collection,
    indexName: string,
    options: { recallTarget: number; queries: number; origin: QueryOrigin; maxMs: number },
    step: StepContext,
  ): Promise<TunedIndex>;
}
