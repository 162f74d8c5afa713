import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { Embedder, Embeddings, EmbedOptions } from "./embedder.ts";
import { createSpace } from "./embedding-space.ts";
import { createCachedEmbedder, type CachedVector, type VectorCache } from "./vector-cache.ts";

const interactive = { priority: "interactive" } as const;
const bulk = { priority: "bulk" } as const;

const spaceOf = (model: string) =>
  createSpace({
    provider: "local",
    model,
    revision: "1",
    dimensions: 2,
    pooling: "mean",
    normalization: "l2",
    maxTokens: 10,
  });

/** A text's vector is its length and its first letter. */
const vectorOf = (text: string) => [text.length, text.charCodeAt(0) || 0];

function setUp(options: { counted?: boolean; map?: Map<string, CachedVector>; model?: string } = {}) {
  const { counted = true, map = new Map<string, CachedVector>(), model = "a" } = options;
  const asked: string[][] = [];
  const inner: Embedder = {
    space: spaceOf(model),
    embed: async (texts: readonly string[], _options: EmbedOptions): Promise<Embeddings> => {
      asked.push([...texts]);
      return {
        vectors: Float32Array.from(texts.flatMap(vectorOf)),
        tokenCounts: counted ? texts.map((text) => text.length + 2) : undefined,
        truncated: counted ? texts.map((text) => text.length > 5) : undefined,
        totalTokens: texts.join("").length + 2 * texts.length,
        cachedTexts: 0,
        queueMs: 1,
        tokenizeMs: 1,
        inferenceMs: 1,
      };
    },
  };
  const cache: VectorCache = { get: (key) => map.get(key), set: (key, value) => void map.set(key, value) };
  return { asked, map, embedder: createCachedEmbedder(inner, cache) };
}

test("answers are the same with and without the cache, whatever was asked before", async () => {
  const texts = fc.array(fc.constantFrom("a", "bb", "much longer", "", "c"), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fc.array(texts, { maxLength: 5 }), texts, async (before, last) => {
      const { embedder, asked } = setUp();
      for (const earlier of before) await embedder.embed(earlier, interactive);
      const known = new Set(before.flat());
      const reply = await embedder.embed(last, bulk);
      expect([...reply.vectors]).toEqual(last.flatMap(vectorOf));
      expect(reply.tokenCounts).toEqual(last.map((text) => text.length + 2));
      expect(reply.truncated).toEqual(last.map((text) => text.length > 5));
      expect(reply.totalTokens).toBe(last.join("").length + 2 * last.length);
      expect(reply.cachedTexts).toBe(last.filter((text) => known.has(text)).length);
      const missing = last.filter((text) => !known.has(text));
      if (missing.length > 0) expect(asked.at(-1)).toEqual(missing);
    }),
  );
});

test("what the caller does with his vectors does not change those in the cache", async () => {
  const { embedder } = setUp();
  (await embedder.embed(["a"], interactive)).vectors.fill(9);
  (await embedder.embed(["a"], interactive)).vectors.fill(9);
  expect([...(await embedder.embed(["a"], interactive)).vectors]).toEqual(vectorOf("a"));
});

test("bulk work reads the cache and does not fill it", async () => {
  const { embedder, asked, map } = setUp();
  await embedder.embed(["a", "bb"], bulk);
  expect(map.size).toBe(0);
  await embedder.embed(["a"], interactive);
  await embedder.embed(["a", "bb"], bulk);
  expect(asked).toEqual([["a", "bb"], ["a"], ["bb"]]);
});

test("models share a cache without sharing vectors", async () => {
  const first = setUp();
  await first.embedder.embed(["a"], interactive);
  const second = setUp({ map: first.map, model: "b" });
  await second.embedder.embed(["a"], interactive);
  expect(second.asked).toEqual([["a"]]);
});

test("where tokens are not counted by text, they stay uncounted", async () => {
  const { embedder } = setUp({ counted: false });
  await embedder.embed(["a"], interactive);
  const reply = await embedder.embed(["a", "bb"], interactive);
  expect([reply.tokenCounts, reply.truncated]).toEqual([undefined, undefined]);
  // Only what was embedded now.
  expect(reply.totalTokens).toBe(4);
});

test("texts themselves are not kept", async () => {
  const { embedder, map } = setUp();
  await embedder.embed(["a very private text"], interactive);
  expect(JSON.stringify([...map])).not.toContain("private");
});

test("an aborted call is not answered, not even from the cache", async () => {
  const { embedder } = setUp();
  await embedder.embed(["a"], interactive);
  const signal = AbortSignal.abort(new Error("gone"));
  await expect(embedder.embed(["a"], { ...interactive, signal })).rejects.toThrow("gone");
});
