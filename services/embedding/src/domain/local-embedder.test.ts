import { expect, test } from "@jest/globals";
import { createLocalEmbedder } from "./local-embedder.ts";
import { localSpace } from "./embedding-space.ts";
import type { TokenBatch } from "./inference.ts";
import { MINILM } from "./model.ts";
import { Scheduler } from "./scheduler.ts";
import type { TokenizerPort } from "./tokenization.ts";

const space = { ...localSpace(MINILM), dimensions: 1, maxTokens: 8 };

/** One token a character; a vector is the sum of the text's token ids. */
const tokenizer: TokenizerPort = {
  startId: 1000,
  endId: 2000,
  contentIds: (text) => Array.from(text, (char) => char.charCodeAt(0)),
  token: (id) => (id >= 1000 ? "" : String.fromCharCode(id)),
};

function setUp(maxQueueTokens = 10_000) {
  const batches: TokenBatch[] = [];
  const scheduler = new Scheduler({
    inference: {
      concurrency: 1,
      available: true,
      run: async (batch) => {
        batches.push(batch);
        const sums = Float32Array.from({ length: batch.rows }, (_, row) =>
          batch.ids.subarray(row * batch.columns, (row + 1) * batch.columns).reduce((sum, id) => sum + id, 0),
        );
        return { vectors: sums, inferenceMs: 1 };
      },
    },
    dimensions: 1,
    maxTokens: 8,
    batches: { budget: 64, overhead: 4 },
    maxQueueTokens,
  });
  return {
    batches,
    scheduler,
    embedder: createLocalEmbedder({ space, tokenizer, scheduler, vocabulary: 3000 }),
  };
}

const rowsOf = (batches: readonly TokenBatch[]) => batches.reduce((sum, batch) => sum + batch.rows, 0);

test("vectors, counts and flags follow the order of the texts", async () => {
  const { embedder } = setUp();
  const result = await embedder.embed(["a", "", "much too long"], { priority: "interactive" });
  expect([...result.vectors]).toEqual([
    3097,
    3000,
    3000 + [..."much t"].reduce((sum, c) => sum + c.charCodeAt(0), 0),
  ]);
  expect(result.tokenCounts).toEqual([3, 2, 8]);
  expect(result.truncated).toEqual([false, false, true]);
});

test("equal texts are embedded once, and all get the vector", async () => {
  const { embedder, batches } = setUp();
  const result = await embedder.embed(["a", "b", "a", "a", "b"], { priority: "bulk" });
  expect([...result.vectors]).toEqual([3097, 3098, 3097, 3097, 3098]);
  expect(result.tokenCounts).toEqual([3, 3, 3, 3, 3]);
  expect(rowsOf(batches)).toBe(2);
});

test("a full queue refuses before anything is tokenised", async () => {
  const { embedder, scheduler, batches } = setUp(10);
  const held = scheduler.reserve(10, "interactive");
  await expect(embedder.embed(["a"], { priority: "interactive" })).rejects.toMatchObject({
    kind: "resource-exhausted",
  });
  expect(batches).toEqual([]);
  held.release();
  await expect(embedder.embed(["a"], { priority: "interactive" })).resolves.toBeDefined();
  expect(scheduler.queuedTokens("interactive")).toBe(0);
});

test("an aborted call leaves nothing behind", async () => {
  const { embedder, scheduler } = setUp();
  const signal = AbortSignal.abort(new Error("gone"));
  await expect(embedder.embed(["a"], { priority: "interactive", signal })).rejects.toThrow("gone");
  expect(scheduler.queuedTokens("interactive")).toBe(0);
});

test("tokenize gives the tokens as Embed would use them", async () => {
  const { embedder } = setUp();
  const [result] = await embedder.tokenize(["much too long"]);
  expect(result).toEqual({
    ids: [1000, ...Array.from("much t", (char) => char.charCodeAt(0)), 2000],
    tokens: ["", ..."much t", ""],
    truncated: true,
  });
});

test("texts that come as tokens get the ids around them that they lack, and are cut like others", async () => {
  const { embedder } = setUp();
  const tokens = [[97], [1000, 97, 2000], [1, 2, 3, 4, 5, 6, 7], [1000]];
  const result = await embedder.embedTokens(tokens, { priority: "interactive" });
  expect([...result.vectors]).toEqual([3097, 3097, 3021, 4000]);
  expect(result.tokenCounts).toEqual([3, 3, 8, 3]);
  expect(result.truncated).toEqual([false, false, true, false]);
  expect(result.totalTokens).toBe(17);
});
