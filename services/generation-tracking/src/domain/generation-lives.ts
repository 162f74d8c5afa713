import type { Generation, GenerationFields, GenerationProgress, JsonObject } from "./generation.ts";

/** What a generation ends with. */
export type Ending = Completion | Failure | { status: "cancelled" };

export interface Completion extends Pick<GenerationFields, "outputPath" | "outputs" | "memoryUsageMb"> {
  status: "completed";
  /** Undefined: the time since it was started. */
  generationTimeMs: number | undefined;
  /** Members that are added to those it was started with. */
  modelConfig: JsonObject | undefined;
  /** Undefined: that which it was started with, if any. */
  seed: bigint | undefined;
}

export interface Failure extends Pick<GenerationFields, "memoryUsageMb"> {
  status: "failed";
  /** Not empty. */
  errorMessage: string;
  /** Undefined: the time since it was started. */
  generationTimeMs: number | undefined;
}

/** What may be changed of a generation, whether it runs or not. What is absent stays as it is. */
export interface GenerationChanges {
  labels?: readonly string[];
  /** Undefined takes it away. */
  rating?: number | undefined;
  sessionId?: string;
}

/**
 * The lives of generations, by the database's clock. A generation runs from when it is started until it ends, or its lease is over, and ends
 * once, however many try it at once. Errors are KindredErrors.
 */
export interface GenerationLives {
  /**
   * Renews the lease, and keeps the progress unless it is undefined.
   * @returns until when the next report has to come, in microseconds since 1970; undefined when it does not run
   */
  report(
    id: bigint,
    progress: Omit<GenerationProgress, "reportedAtMicros"> | undefined,
  ): Promise<bigint | undefined>;
  /** @returns whether this ended it; not when it does not run, nor when it was started with another seed */
  end(id: bigint, ending: Ending): Promise<boolean>;
  /** Marks one as failed that runs although its lease is over. @returns whether this did */
  failAbandoned(id: bigint): Promise<boolean>;
  /** The same with at most so many of all of them, but for those that somebody else is changing. @returns their ids */
  failAllAbandoned(limit: number): Promise<bigint[]>;
  /** @returns undefined when there is no such generation */
  update(id: bigint, changes: GenerationChanges): Promise<Generation | undefined>;
  /** Deletes generations with all that belongs to them. @returns how many of them were there */
  delete(ids: readonly bigint[]): Promise<number>;
}
