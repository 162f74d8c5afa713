import { hash } from "node:crypto";
import type { Embedder, Embeddings } from "./embedder.ts";

/** A text's vector, as it was embedded before. */
export interface CachedVector {
  readonly vector: Float32Array<ArrayBuffer>;
  /** Undefined where a provider counts whole requests only. */
  readonly tokens: number | undefined;
  readonly truncated: boolean | undefined;
}

/** Keeps the vectors that were used last. */
export interface VectorCache {
  get(key: string): CachedVector | undefined;
  set(key: string, value: CachedVector): void;
}

/** Texts themselves are not kept: they may be long, and they are their owners'. */
function keyOf(spaceId: string, text: string): string {
  return `${spaceId} ${hash("sha256", text, "base64")}`;
}

/**
 * Answers texts from the cache where it can. All work reads it; only interactive work fills it, because texts that are embedded
 * in bulk hardly ever come again, and would drive out those that do.
 */
export function createCachedEmbedder(embedder: Embedder, cache: VectorCache): Embedder {
  const { space } = embedder;
  return {
    space,
    embed: async (texts, options) => {
      options.signal?.throwIfAborted();
      const keys = texts.map((text) => keyOf(space.id, text));
      const found = keys.map((key) => cache.get(key));
      const missing = [...texts.keys()].filter((i) => found[i] === undefined);
      if (missing.length === texts.length) {
        const fresh = await embedder.embed(texts, options);
        if (options.priority === "interactive") remember(cache, keys, fresh, space.dimensions);
        return fresh;
      }
      const fresh =
        missing.length === 0
          ? NOTHING
          : await embedder.embed(
              missing.map((i) => texts[i] as string),
              options,
            );
      const rows = new Map(missing.map((i, row) => [i, row]));
      if (options.priority === "interactive") {
        remember(
          cache,
          missing.map((i) => keys[i] as string),
          fresh,
          space.dimensions,
        );
      }
      return merge(found, fresh, rows, space.dimensions);
    },
  };
}

const NOTHING: Embeddings = {
  vectors: new Float32Array(0),
  tokenCounts: [],
  truncated: [],
  totalTokens: 0,
  cachedTexts: 0,
  queueMs: 0,
  tokenizeMs: 0,
  inferenceMs: 0,
};

function remember(
  cache: VectorCache,
  keys: readonly string[],
  { vectors, tokenCounts, truncated }: Embeddings,
  width: number,
): void {
  for (const [row, key] of keys.entries()) {
    cache.set(key, {
      // A copy: a view would keep the vectors of the whole request alive.
      vector: vectors.slice(row * width, (row + 1) * width),
      tokens: tokenCounts?.[row],
      truncated: truncated?.[row],
    });
  }
}

/** @param rows the row in `fresh` of each text that was not found. */
function merge(
  found: readonly (CachedVector | undefined)[],
  fresh: Embeddings,
  rows: ReadonlyMap<number, number>,
  width: number,
): Embeddings {
  const vectors = new Float32Array(found.length * width);
  const tokenCounts: number[] = [];
  const truncated: boolean[] = [];
  let cachedTokens = 0;
  let counted = true;
  for (const [i, cached] of found.entries()) {
    const row = rows.get(i);
    const vector =
      row === undefined ? cached?.vector : fresh.vectors.subarray(row * width, (row + 1) * width);
    const tokens = row === undefined ? cached?.tokens : fresh.tokenCounts?.[row];
    const cut = row === undefined ? cached?.truncated : fresh.truncated?.[row];
    vectors.set(vector as Float32Array, i * width);
    if (row === undefined) cachedTokens += tokens ?? 0;
    if (tokens === undefined || cut === undefined) counted = false;
    else {
      tokenCounts.push(tokens);
      truncated.push(cut);
    }
  }
  return {
    ...fresh,
    vectors,
    tokenCounts: counted ? tokenCounts : undefined,
    truncated: counted ? truncated : undefined,
    totalTokens: fresh.totalTokens + cachedTokens,
    cachedTexts: fresh.cachedTexts + found.length - rows.size,
  };
}
