/** How a generation ended. */
export type GenerationStatus = "completed" | "failed" | "cancelled";

export const GENERATION_STATUSES: readonly GenerationStatus[] = ["completed", "failed", "cancelled"];

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = Record<string, JsonValue>;

/** An example that was retrieved for a generation, as it was at that time. */
export interface RetrievedExample {
  /** The image's id in the vector store; 0 when it is not from there. */
  imageId: bigint;
  imagePath: string;
  caption: string;
  similarity: number;
}

/** What callers write of a generation. Texts are empty, and other values undefined, where there is none. */
export interface GenerationFields {
  prompt: string;
  augmentedPrompt: string;
  outputPath: string;
  /** Any signed 64-bit integer. */
  seed: bigint | undefined;
  numInferenceSteps: number | undefined;
  guidanceScale: number | undefined;
  generationTimeMs: number | undefined;
  /** In MiB. */
  memoryUsageMb: number | undefined;
  modelConfig: JsonObject | undefined;
  /** By rank. */
  retrievedExamples: readonly RetrievedExample[];
  status: GenerationStatus;
  errorMessage: string;
}

/** A generation as it is stored. */
export interface Generation extends GenerationFields {
  id: bigint;
  /** When it was recorded: microseconds since 1970, which is what PostgreSQL keeps. */
  createdAtMicros: bigint;
}

/** The newest-first order of lists: by time, then by id. */
export interface ListPosition {
  createdAtMicros: bigint;
  id: bigint;
}

/** Conditions that all have to hold; an absent one always holds. */
export interface GenerationFilter {
  status: GenerationStatus | undefined;
  /** Taken literally, in any case. */
  promptContains: string | undefined;
  /** Recorded at or after this time. */
  createdAfterMicros: bigint | undefined;
  /** Recorded before this time. */
  createdBeforeMicros: bigint | undefined;
}

/** Counts and averages, all of one moment. */
export interface GenerationStatistics {
  total: bigint;
  /** Recorded in the last 24 hours. */
  recent: bigint;
  /** Over the completed ones that have a time; undefined when there is none. */
  averageTimeMs: number | undefined;
  /** Every status, also those that no generation has. */
  byStatus: readonly { status: GenerationStatus; count: bigint }[];
}
