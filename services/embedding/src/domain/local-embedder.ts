import type { Embedder, TextTokens } from "./embedder.ts";
import type { EmbeddingSpace } from "./embedding-space.ts";
import type { Scheduler } from "./scheduler.ts";
import { tokenizeTexts, type TokenizerPort } from "./tokenization.ts";

/** English has about four characters to a token; the estimate only has to tell a full queue from an empty one. */
const CHARS_PER_TOKEN = 4;
const SPECIAL_TOKENS = 2;

function estimateTokens(texts: readonly string[], maxTokens: number): number {
  return texts.reduce(
    (sum, text) => sum + Math.min(maxTokens, Math.ceil(text.length / CHARS_PER_TOKEN) + SPECIAL_TOKENS),
    0,
  );
}

/** An embedder whose tokenizer is at hand. */
export interface LocalEmbedder extends Embedder {
  tokenize(texts: readonly string[], signal?: AbortSignal): Promise<TextTokens[]>;
}

export function createLocalEmbedder(deps: {
  space: EmbeddingSpace;
  tokenizer: TokenizerPort;
  scheduler: Scheduler;
}): LocalEmbedder {
  const { space, tokenizer, scheduler } = deps;
  return {
    space,

    embed: async (texts, { priority, signal }) => {
      // Equal texts have equal vectors: each is embedded once.
      const rowOf = new Map<string, number>();
      for (const text of texts) if (!rowOf.has(text)) rowOf.set(text, rowOf.size);
      const distinct = [...rowOf.keys()];

      const reservation = scheduler.reserve(estimateTokens(distinct, space.maxTokens), priority);
      const startedAt = performance.now();
      let tokenized;
      try {
        tokenized = await tokenizeTexts(tokenizer, distinct, space.maxTokens, signal);
      } finally {
        reservation.release();
      }
      const tokenizeMs = performance.now() - startedAt;
      const embedded = await scheduler.submit(
        tokenized.map((text) => text.ids),
        { priority, signal },
      );

      const rows = texts.map((text) => rowOf.get(text) as number);
      const tokenCounts = rows.map((row) => tokenized[row]?.ids.length ?? 0);
      return {
        vectors:
          distinct.length === texts.length
            ? embedded.vectors
            : repeatRows(embedded.vectors, rows, space.dimensions),
        tokenCounts,
        truncated: rows.map((row) => tokenized[row]?.truncated ?? false),
        totalTokens: tokenCounts.reduce((sum, count) => sum + count, 0),
        cachedTexts: 0,
        queueMs: embedded.queueMs,
        tokenizeMs,
        inferenceMs: embedded.inferenceMs,
      };
    },

    tokenize: async (texts, signal) => {
      const tokenized = await tokenizeTexts(tokenizer, texts, space.maxTokens, signal);
      return tokenized.map(({ ids, truncated }) => ({
        ids: [...ids],
        tokens: Array.from(ids, (id) => tokenizer.token(id)),
        truncated,
      }));
    },
  };
}

/** The rows of `source` in the given order, with repetitions. */
function repeatRows(source: Float32Array, rows: readonly number[], width: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries())
    result.set(source.subarray(row * width, (row + 1) * width), i * width);
  return result;
}
