import type { LocalEmbedder } from "./local-embedder.ts";
import type { SourceName } from "./model-files.ts";
import type { Precision } from "./precision.ts";

/** A model that is ready, and the facts about how it is run. */
export interface ServedModel {
  readonly embedder: LocalEmbedder;
  readonly precision: Precision;
  /** "auto", "cpu" or "cuda". */
  readonly requestedProvider: string;
  /** "cpu" or "cuda". */
  readonly effectiveProvider: string;
  /** Why the effective provider is not the requested one; "" when it is. */
  readonly providerReason: string;
  readonly workers: number;
  readonly threadsPerWorker: number;
  readonly source: SourceName;
  /** Hexadecimal. */
  readonly weightsSha256: string;
  readonly maxBatchTokens: number;
  readonly maxQueueTokens: number;
}
