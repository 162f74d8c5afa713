import type { Embedder } from "./embedder.ts";
import type { LocalEmbedder } from "./local-embedder.ts";
import type { Precision } from "./precision.ts";

/** How a model of this service's own is run. */
export interface LocalFacts {
  readonly precision: Precision;
  /** "auto", "cpu" or "cuda". */
  readonly requestedProvider: string;
  /** "cpu" or "cuda". */
  readonly effectiveProvider: string;
  /** Why the effective provider is not the requested one; "" when it is. */
  readonly providerReason: string;
  readonly workers: number;
  readonly threadsPerWorker: number;
  /** Hexadecimal. */
  readonly weightsSha256: string;
  readonly maxBatchTokens: number;
}

/** A model that is ready, and the facts about how it is run. */
export interface ServedModel {
  readonly embedder: Embedder;
  /** What only a tokenizer at hand makes possible; undefined for models of remote providers. */
  readonly tokens: Pick<LocalEmbedder, "tokenize" | "embedTokens" | "vocabulary"> | undefined;
  /** Undefined for models of remote providers. */
  readonly local: LocalFacts | undefined;
  /** Whether vectors may be shortened to their first components and scaled to length 1 again (Matryoshka). */
  readonly shortenable: boolean;
  /** Where it came from: "directory", "cache", "hub", "package", or a provider's base URL. */
  readonly source: string;
  readonly maxQueueTokens: number;
  /** What its provider takes, in US dollars; undefined where nobody has said it, and for local models. */
  readonly pricePerMillionTokens?: number | undefined;
}
