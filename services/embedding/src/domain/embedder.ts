import type { EmbeddingSpace } from "./embedding-space.ts";

/** Which work goes first: "interactive" is waited for by somebody, "bulk" is not. */
export type Priority = "interactive" | "bulk";

export interface EmbedOptions {
  readonly priority: Priority;
  /** Gives up what still waits. */
  readonly signal?: AbortSignal | undefined;
}

export interface Embeddings {
  /** texts x dimensions floats, row after row in the order of the texts; the caller's own. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** Tokens of each text as embedded, special tokens included; undefined where a provider counts whole requests only. */
  readonly tokenCounts: readonly number[] | undefined;
  /** Whether each text was cut; undefined where nobody knows. */
  readonly truncated: readonly boolean[] | undefined;
  readonly totalTokens: number;
  /** Texts that were answered from the cache of recent vectors. */
  readonly cachedTexts: number;
  /** Until the first part of the work started. */
  readonly queueMs: number;
  readonly tokenizeMs: number;
  /** Time inside the model, or waiting for the provider's answers, summed over all parts. */
  readonly inferenceMs: number;
}

/** Tokens of one text, special tokens included. */
export interface TextTokens {
  readonly ids: number[];
  readonly tokens: string[];
  readonly truncated: boolean;
}

/** Turns texts into vectors of one space. */
export interface Embedder {
  readonly space: EmbeddingSpace;
  /** @throws KindredError resource-exhausted at once when too much waits already, with the time to come back. */
  embed(texts: readonly string[], options: EmbedOptions): Promise<Embeddings>;
}
