import type { Embedder, Embeddings, EmbedOptions, TextTokens } from "./embedder.ts";
import type { EmbeddingSpace } from "./embedding-space.ts";
import type { Scheduler } from "./scheduler.ts";
import { tokenizeTexts, type TokenizedText, type TokenizerPort } from "./tokenization.ts";

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
  /** Ids are below this. */
  readonly vocabulary: number;
  tokenize(texts: readonly string[], signal?: AbortSignal): Promise<TextTokens[]>;
  /**
   * Embeds texts that are tokenised already: vocabulary ids, at least one a text. The ids that every text begins and ends with are
   * put around those that lack them, and what is too long is cut.
   */
  embedTokens(texts: readonly (readonly number[])[], options: EmbedOptions): Promise<Embeddings>;
}

export function createLocalEmbedder(deps: {
  space: EmbeddingSpace;
  tokenizer: TokenizerPort;
  scheduler: Scheduler;
  vocabulary: number;
}): LocalEmbedder {
  const { space, tokenizer, scheduler, vocabulary } = deps;

  /** Embeds distinct texts and gives each of `rows` the vector of the distinct text of that number. */
  const embedTokenized = async (
    tokenized: readonly TokenizedText[],
    rows: readonly number[],
    tokenizeMs: number,
    options: EmbedOptions,
  ): Promise<Embeddings> => {
    const embedded = await scheduler.submit(
      tokenized.map((text) => text.ids),
      options,
    );
    const tokenCounts = rows.map((row) => tokenized[row]?.ids.length ?? 0);
    return {
      vectors:
        tokenized.length === rows.length
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
  };

  return {
    space,
    vocabulary,

    embed: async (texts, options) => {
      // Equal texts have equal vectors: each is embedded once.
      const rowOf = new Map<string, number>();
      for (const text of texts) if (!rowOf.has(text)) rowOf.set(text, rowOf.size);
      const distinct = [...rowOf.keys()];

      const reservation = scheduler.reserve(estimateTokens(distinct, space.maxTokens), options.priority);
      const startedAt = performance.now();
      let tokenized;
      try {
        tokenized = await tokenizeTexts(tokenizer, distinct, space.maxTokens, options.signal);
      } finally {
        reservation.release();
      }
      const tokenizeMs = performance.now() - startedAt;
      const rows = texts.map((text) => rowOf.get(text) as number);
      return embedTokenized(tokenized, rows, tokenizeMs, options);
    },

    embedTokens: async (texts, options) => {
      const tokenized = texts.map((ids) => completeTokens(tokenizer, ids, space.maxTokens));
      const tokens = tokenized.reduce((sum, { ids }) => sum + ids.length, 0);
      // Nothing has to be held: the work is queued at once.
      scheduler.reserve(tokens, options.priority).release();
      return embedTokenized(tokenized, [...tokenized.keys()], 0, options);
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

/** A text's own ids between those that every text begins and ends with, cut to `maxTokens`. */
function completeTokens(tokenizer: TokenizerPort, ids: readonly number[], maxTokens: number): TokenizedText {
  const complete = ids[0] === tokenizer.startId && ids.length > 1 && ids.at(-1) === tokenizer.endId;
  const content = complete ? ids.slice(1, -1) : ids;
  const room = maxTokens - SPECIAL_TOKENS;
  return {
    ids: Int32Array.from([tokenizer.startId, ...content.slice(0, room), tokenizer.endId]),
    truncated: content.length > room,
  };
}

/** The rows of `source` in the given order, with repetitions. */
function repeatRows(source: Float32Array, rows: readonly number[], width: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries())
    result.set(source.subarray(row * width, (row + 1) * width), i * width);
  return result;
}
