import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { KindredError } from "@kindred/errors";
import type { Embedder, Embeddings, EmbedOptions } from "./embedder.ts";
import { createSpace } from "./embedding-space.ts";
import { embedInOrder, type EmbeddedPiece } from "./embed-in-order.ts";

const space = createSpace({
  provider: "local",
  model: "m",
  revision: "1",
  dimensions: 1,
  pooling: "mean",
  normalization: "l2",
  maxTokens: 10,
});

const LIMITS = { pieceTexts: 3, windowTexts: 10, windowChars: 1000 };

const embeddingsOf = (texts: readonly string[]): Embeddings => ({
  vectors: Float32Array.from(texts, Number),
  tokenCounts: texts.map(() => 1),
  truncated: texts.map(() => false),
  totalTokens: texts.length,
  cachedTexts: 0,
  queueMs: 0,
  tokenizeMs: 0,
  inferenceMs: 0,
});

/** Answers when the test says so. */
class ManualEmbedder implements Embedder {
  readonly space = space;
  readonly waiting: {
    texts: readonly string[];
    options: EmbedOptions;
    done: PromiseWithResolvers<Embeddings>;
  }[] = [];

  embed(texts: readonly string[], options: EmbedOptions): Promise<Embeddings> {
    const done = Promise.withResolvers<Embeddings>();
    this.waiting.push({ texts, options, done });
    options.signal?.addEventListener("abort", () => done.reject(options.signal?.reason as Error));
    return done.promise;
  }
  answer(index: number): void {
    const [piece] = this.waiting.splice(index, 1);
    if (piece === undefined) throw new Error("nothing waits there");
    piece.done.resolve(embeddingsOf(piece.texts));
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => String(from + i));

async function* chunksOf(texts: readonly string[], sizes: readonly number[], read?: number[]) {
  let from = 0;
  for (const size of sizes) {
    read?.push(size);
    yield texts.slice(from, from + size);
    from += size;
  }
}

const options = () => ({ priority: "bulk", signal: new AbortController().signal, limits: LIMITS }) as const;

test("vectors come in the order of the texts, however they were cut and whichever piece is ready first", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 8 }), { maxLength: 12 }),
      fc.infiniteStream(fc.nat()),
      async (sizes, picks) => {
        const count = sizes.reduce((sum, size) => sum + size, 0);
        const embedder = new ManualEmbedder();
        const pieces: EmbeddedPiece[] = [];
        const state = { over: false };
        const reading = (async () => {
          for await (const piece of embedInOrder(embedder, chunksOf(numbers(0, count), sizes), options())) {
            pieces.push(piece);
          }
          state.over = true;
        })();
        while (!state.over) {
          await settled();
          const waitingTexts = embedder.waiting.reduce((sum, { texts }) => sum + texts.length, 0);
          expect(waitingTexts).toBeLessThanOrEqual(LIMITS.windowTexts);
          if (embedder.waiting.length > 0) {
            embedder.answer((picks.next().value as number) % embedder.waiting.length);
          }
        }
        await reading;
        expect(pieces.flatMap(({ embeddings }) => [...embeddings.vectors])).toEqual(
          numbers(0, count).map(Number),
        );
        let next = 0;
        for (const { firstText, textCount } of pieces) {
          expect([firstText, textCount <= LIMITS.pieceTexts, textCount > 0]).toEqual([next, true, true]);
          next += textCount;
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("reads on only as fast as answers are taken", async () => {
  const embedder = new ManualEmbedder();
  const read: number[] = [];
  const stream = embedInOrder(
    embedder,
    chunksOf(
      numbers(0, 100),
      Array.from({ length: 20 }, () => 5),
      read,
    ),
    options(),
  );
  const first = stream.next();
  await settled();
  // Two chunks of five fill the window of ten.
  expect(read).toHaveLength(2);
  while (embedder.waiting.length > 0) embedder.answer(0);
  await first;
  await settled();
  const soFar = read.length;
  await settled();
  // Nobody takes the second piece: what may be in flight is, and no more is read.
  expect(read).toHaveLength(soFar);
  expect(soFar).toBeLessThan(6);
  await stream.return(undefined);
});

test("a piece larger than the window is embedded all the same", async () => {
  const embedder = new ManualEmbedder();
  const limits = { pieceTexts: 3, windowTexts: 2, windowChars: 1 };
  const stream = embedInOrder(embedder, chunksOf(["10", "20", "30"], [3]), { ...options(), limits });
  const first = stream.next();
  await settled();
  embedder.answer(0);
  await expect(first).resolves.toMatchObject({ value: { firstText: 0, textCount: 3 } });
});

describe("when it ends early", () => {
  test("a failed piece ends the stream after those before it, and gives up those behind it", async () => {
    const embedder = new ManualEmbedder();
    const stream = embedInOrder(embedder, chunksOf(numbers(0, 9), [9]), options());
    const first = stream.next();
    await settled();
    const [a, b, c] = embedder.waiting;
    b?.done.reject(new KindredError("unavailable", "the model crashed"));
    a?.done.resolve(embeddingsOf(a.texts));
    await expect(first).resolves.toMatchObject({ value: { firstText: 0 } });
    await expect(stream.next()).rejects.toThrow("the model crashed");
    expect(c?.options.signal?.aborted).toBe(true);
  });

  test("a sender that fails ends the stream with its error", async () => {
    const failing = async function* () {
      yield ["1"];
      throw new Error("the sender failed");
    };
    const embedder = new ManualEmbedder();
    const stream = embedInOrder(embedder, failing(), options());
    await expect(stream.next()).rejects.toThrow("the sender failed");
    expect(embedder.waiting[0]?.options.signal?.aborted).toBe(true);
  });

  test("a reader that goes away stops the work and the sender", async () => {
    const embedder = new ManualEmbedder();
    let stopped = false;
    const endless = async function* () {
      try {
        for (;;) yield ["1"];
      } finally {
        stopped = true;
      }
    };
    const stream = embedInOrder(embedder, endless(), options());
    const first = stream.next();
    await settled();
    embedder.answer(0);
    await first;
    await stream.return(undefined);
    await settled();
    expect(stopped).toBe(true);
    expect(embedder.waiting.every(({ options: { signal } }) => signal?.aborted)).toBe(true);
  });
});

describe("a full queue", () => {
  const refusing = (times: number): Embedder & { asked: number } => {
    const embedder = {
      space,
      asked: 0,
      embed: async (texts: readonly string[]) => {
        embedder.asked++;
        if (embedder.asked <= times) {
          throw new KindredError("resource-exhausted", "the queue is full", { retryAfterMs: 2 });
        }
        return embeddingsOf(texts);
      },
    };
    return embedder;
  };

  test("makes the stream wait", async () => {
    const embedder = refusing(3);
    const stream = embedInOrder(embedder, chunksOf(["7"], [1]), options());
    await expect(stream.next()).resolves.toMatchObject({ value: { embeddings: { totalTokens: 1 } } });
    expect(embedder.asked).toBe(4);
  });

  test("does not hold a caller who went away", async () => {
    const embedder = refusing(Infinity);
    const controller = new AbortController();
    const stream = embedInOrder(embedder, chunksOf(["7"], [1]), { ...options(), signal: controller.signal });
    const first = stream.next();
    await settled();
    controller.abort(new Error("gone"));
    await expect(first).rejects.toThrow("aborted");
    const { asked } = embedder;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(embedder.asked).toBe(asked);
  });
});
