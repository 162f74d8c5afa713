/** How a generation ended. */
export type EndStatus = "completed" | "failed" | "cancelled";

/** How a generation ended, or that it runs. */
export type GenerationStatus = EndStatus | "running";

export const GENERATION_STATUSES: readonly GenerationStatus[] = [
  "completed",
  "failed",
  "cancelled",
  "running",
];

/** What was found out about a file the last time; "unknown": nobody has looked. */
export type OutputState = "unknown" | "kept" | "missing" | "changed";

export const OUTPUT_STATES: readonly OutputState[] = ["unknown", "kept", "missing", "changed"];

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = Record<string, JsonValue>;

/** An example that was retrieved for a generation, as it was at that time. */
export interface RetrievedExample {
  /** The image's id in the vector store; 0 when it is not from there. */
  imageId: bigint;
  imagePath: string;
  caption: string;
  similarity: number;
  /** Its place among them, from 1. */
  rank: number;
}

/** How examples were retrieved. */
export interface Retrieval {
  /** Empty: the prompt. */
  query: string;
  k: number;
  threshold: number | undefined;
  /** Id of the embedding space. */
  spaceId: string;
  /** E.g. "hnsw", "exact". */
  method: string;
  /** Empty for an exact search. */
  indexName: string;
  /** 0 for other methods than HNSW. */
  efSearch: number;
  /** 0 for other methods than IVFFlat. */
  probes: number;
  /** 0 where it is not known. */
  expectedRecall: number;
}

/** A file that a generation made. */
export interface OutputFile {
  /** 1 to 500 characters. */
  path: string;
  sizeBytes: bigint | undefined;
  /** 32 bytes. */
  sha256: Uint8Array | undefined;
  state: OutputState;
  /** In microseconds since 1970; undefined before somebody looks. */
  verifiedAtMicros: bigint | undefined;
}

/** How far a running generation is. */
export interface GenerationProgress {
  done: number;
  /** 0 when it is not known. */
  total: number;
  message: string;
  /** In microseconds since 1970. */
  reportedAtMicros: bigint;
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
  negativePrompt: string;
  sampler: string;
  /** In pixels. */
  width: number | undefined;
  /** In pixels. */
  height: number | undefined;
  modelName: string;
  modelHash: string;
  batchId: string;
  parentId: bigint | undefined;
  sessionId: string;
  /** Each once, in their order. */
  labels: readonly string[];
  /** 1 to 5. */
  rating: number | undefined;
  retrieval: Retrieval | undefined;
  /** The path of the first one is outputPath. */
  outputs: readonly OutputFile[];
}

/** A generation as it is stored. Its modelName is the configuration's where the caller gave none. */
export interface Generation extends GenerationFields {
  id: bigint;
  /** When it was recorded or started: microseconds since 1970, which is what PostgreSQL keeps. */
  createdAtMicros: bigint;
  /** Undefined before the first report. */
  progress: GenerationProgress | undefined;
  /** Until when its maker has to say that it is alive; undefined unless it runs. */
  leaseExpiresAtMicros: bigint | undefined;
  /** When it ended; undefined while it runs. */
  finishedAtMicros: bigint | undefined;
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
