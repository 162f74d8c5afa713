import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { KindredError } from "@kindred/errors";
import type { BatchResult, InferencePort, TokenBatch } from "./inference.ts";
import { Scheduler, type FinishedBatch, type SchedulerOptions } from "./scheduler.ts";

const DIMENSIONS = 2;

/** A vector that tells whose it is: first and last token of the text. */
function vectorsOf(batch: TokenBatch): Float32Array<ArrayBuffer> {
  const vectors = new Float32Array(batch.rows * DIMENSIONS);
  for (let row = 0; row < batch.rows; row++) {
    const start = row * batch.columns;
    vectors[row * DIMENSIONS] = batch.ids[start] as number;
    vectors[row * DIMENSIONS + 1] = batch.ids[start + (batch.lengths[row] as number) - 1] as number;
  }
  return vectors;
}

/** An inference port whose batches finish when the test says so. */
class ManualInference implements InferencePort {
  readonly concurrency: number;
  available = true;
  readonly batches: TokenBatch[] = [];
  readonly #running: { batch: TokenBatch; done: PromiseWithResolvers<BatchResult> }[] = [];

  constructor(concurrency = 1) {
    this.concurrency = concurrency;
  }

  run(batch: TokenBatch): Promise<BatchResult> {
    const done = Promise.withResolvers<BatchResult>();
    this.batches.push(batch);
    this.#running.push({ batch, done });
    return done.promise;
  }

  get running(): number {
    return this.#running.length;
  }

  /** Finishes the oldest running batch and lets its consequences happen. */
  async finish(error?: Error): Promise<void> {
    const oldest = this.#running.shift();
    if (oldest === undefined) throw new Error("nothing runs");
    if (error === undefined) oldest.done.resolve({ vectors: vectorsOf(oldest.batch), inferenceMs: 1 });
    else oldest.done.reject(error);
    await new Promise((resolve) => setImmediate(resolve));
  }

  async finishAll(): Promise<void> {
    while (this.running > 0) await this.finish();
  }
}

function setUp(inference: InferencePort, options: Partial<SchedulerOptions> = {}): Scheduler {
  return new Scheduler({
    inference,
    dimensions: DIMENSIONS,
    maxTokens: 256,
    batches: { budget: 256, overhead: 16 },
    maxQueueTokens: 10_000,
    ...options,
  });
}

/** A text of `length` tokens that starts and ends with `id`. */
const text = (length: number, id = 1) => new Int32Array(length).fill(id);
const interactive = { priority: "interactive" } as const;
const bulk = { priority: "bulk" } as const;

test("vectors come back in the order of the texts, whatever batches they were in", async () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(fc.array(lengths, { minLength: 1, maxLength: 4 }), async (requests) => {
      const inference = new ManualInference(2);
      const scheduler = setUp(inference);
      let id = 0;
      const all = requests.map((request) => request.map((length) => text(length, ++id)));
      const results = all.map((texts, i) => scheduler.submit(texts, i % 2 === 0 ? interactive : bulk));
      await inference.finishAll();
      for (const [i, texts] of all.entries()) {
        const { vectors } = await (results[i] as (typeof results)[0]);
        expect([...vectors]).toEqual(texts.flatMap((ids) => [ids[0], ids[0]]));
      }
      for (const batch of inference.batches) expect(batch.rows * batch.columns).toBeLessThanOrEqual(256);
      expect([scheduler.queuedTokens("interactive"), scheduler.queuedTokens("bulk")]).toEqual([0, 0]);
    }),
    { numRuns: 50 },
  );
});

test("at most `concurrency` batches run at a time", async () => {
  const inference = new ManualInference(2);
  const done = setUp(inference).submit(
    Array.from({ length: 8 }, () => text(256)),
    bulk,
  );
  expect(inference.running).toBe(2);
  await inference.finish();
  expect(inference.running).toBe(2);
  await inference.finishAll();
  await done;
  expect(inference.batches).toHaveLength(8);
});

test("small requests share a batch", async () => {
  const inference = new ManualInference();
  const scheduler = setUp(inference);
  const first = scheduler.submit([text(9)], interactive);
  const others = [10, 11, 12].map((length) => scheduler.submit([text(length)], interactive));
  await inference.finishAll();
  await Promise.all([first, ...others]);
  expect(inference.batches.map((batch) => batch.rows)).toEqual([1, 3]);
});

describe("fairness", () => {
  test("interactive work overtakes bulk work that waits", async () => {
    const inference = new ManualInference();
    const scheduler = setUp(inference);
    const slow = scheduler.submit(
      Array.from({ length: 5 }, () => text(256, 1)),
      bulk,
    );
    const quick = scheduler.submit([text(10, 2)], interactive);
    await inference.finish();
    await inference.finish();
    await expect(quick).resolves.toMatchObject({ vectors: Float32Array.of(2, 2) });
    await inference.finishAll();
    await slow;
  });

  test("bulk work is not starved by a stream of interactive work", async () => {
    const inference = new ManualInference();
    const scheduler = setUp(inference);
    const stream = Array.from({ length: 40 }, () => scheduler.submit([text(256, 2)], interactive));
    const slow = scheduler.submit(
      Array.from({ length: 5 }, () => text(256, 1)),
      bulk,
    );
    await inference.finishAll();
    await Promise.all([slow, ...stream]);
    const turns = inference.batches.map((batch, i) => (batch.ids[0] === 1 ? i : -1)).filter((i) => i >= 0);
    // One batch in five.
    expect(turns.length).toBe(5);
    expect(turns.at(-1)).toBeLessThan(26);
  });

  test("a small request does not wait for a large one of the same priority", async () => {
    const inference = new ManualInference();
    const scheduler = setUp(inference);
    const large = scheduler.submit(
      Array.from({ length: 20 }, () => text(256, 1)),
      interactive,
    );
    const small = scheduler.submit([text(30, 2)], interactive);
    await inference.finishAll();
    await Promise.all([large, small]);
    expect(inference.batches.findIndex((batch) => batch.ids[0] === 2)).toBeLessThanOrEqual(2);
  });
});

describe("with an express port", () => {
  const setUpBoth = () => {
    const [shared, express] = [new ManualInference(2), new ManualInference()];
    return { shared, express, scheduler: setUp(shared, { express }) };
  };
  const longBulk = () => Array.from({ length: 12 }, () => text(256, 1));

  test("interactive work starts at once beside bulk work, and bulk work never takes the express port", async () => {
    const { shared, express, scheduler } = setUpBoth();
    const slow = scheduler.submit(longBulk(), bulk);
    expect([shared.running, express.running]).toEqual([2, 0]);
    const quick = scheduler.submit([text(10, 2)], interactive);
    expect([shared.running, express.running]).toEqual([2, 1]);
    await express.finish();
    await expect(quick).resolves.toMatchObject({
      vectors: Float32Array.of(2, 2),
      queueMs: expect.any(Number),
    });
    await shared.finishAll();
    await slow;
    expect(express.batches).toHaveLength(1);
    expect(shared.batches).toHaveLength(12);
  });

  test("interactive work uses all ports when there is much of it", async () => {
    const { shared, express, scheduler } = setUpBoth();
    const all = scheduler.submit(longBulk(), interactive);
    expect([shared.running, express.running]).toEqual([2, 1]);
    await shared.finish();
    await express.finish();
    expect([shared.running, express.running]).toEqual([2, 1]);
    while (shared.running + express.running > 0) {
      if (express.running > 0) await express.finish();
      await shared.finishAll();
    }
    await all;
  });

  test("interactive work goes the other way while nothing is there to run the express port", async () => {
    const { shared, express, scheduler } = setUpBoth();
    express.available = false;
    const quick = scheduler.submit([text(10, 2)], interactive);
    expect([shared.running, express.running]).toEqual([1, 0]);
    await shared.finishAll();
    await quick;
  });
});

test("every batch is told with what was real and what was padding", async () => {
  const inference = new ManualInference();
  const finished: FinishedBatch[] = [];
  const scheduler = setUp(inference, { onBatch: (batch) => finished.push(batch) });
  const done = scheduler.submit([text(9), text(10)], bulk);
  await inference.finishAll();
  await done;
  expect(finished).toEqual([{ texts: 2, tokens: 19, paddedTokens: 20, inferenceMs: 1 }]);
});

describe("cancellation", () => {
  test("removes what waits, rejects with the reason, and leaves others alone", async () => {
    const inference = new ManualInference();
    const scheduler = setUp(inference);
    const controller = new AbortController();
    const cancelled = scheduler.submit(
      Array.from({ length: 10 }, () => text(256, 1)),
      { ...interactive, signal: controller.signal },
    );
    const other = scheduler.submit([text(100, 2)], interactive);
    controller.abort(new Error("the caller went away"));
    await expect(cancelled).rejects.toThrow("the caller went away");
    expect(scheduler.queuedTokens("interactive")).toBe(100);
    await inference.finishAll();
    await expect(other).resolves.toMatchObject({ vectors: Float32Array.of(2, 2) });
    expect(inference.batches).toHaveLength(2);
  });

  test("a signal that is aborted already queues nothing", async () => {
    const inference = new ManualInference();
    const signal = AbortSignal.abort(new Error("too late"));
    await expect(setUp(inference).submit([text(5)], { ...bulk, signal })).rejects.toThrow("too late");
    expect(inference.batches).toHaveLength(0);
  });
});

test("a failed batch fails the requests that were in it, and only those", async () => {
  const inference = new ManualInference();
  const scheduler = setUp(inference);
  const failing = scheduler.submit([text(256, 1), text(256, 1), text(256, 1)], interactive);
  const other = scheduler.submit([text(10, 2)], interactive);
  failing.catch(() => undefined);
  await inference.finish(new KindredError("unavailable", "the worker died twice"));
  await inference.finishAll();
  await expect(failing).rejects.toMatchObject({ kind: "unavailable" });
  await expect(other).resolves.toMatchObject({ vectors: Float32Array.of(2, 2) });
  // The failed request's other texts were not run any more.
  expect(inference.batches).toHaveLength(2);
});

describe("a full queue", () => {
  test("refuses at once, with a time to come back", async () => {
    const inference = new ManualInference();
    const scheduler = setUp(inference, { maxQueueTokens: 1000 });
    const waiting = scheduler.submit(
      Array.from({ length: 5 }, () => text(256)),
      bulk,
    );
    let refusal: unknown;
    try {
      scheduler.reserve(500, "bulk");
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ kind: "resource-exhausted", retryAfterMs: expect.any(Number) });
    expect((refusal as KindredError).retryAfterMs).toBeGreaterThan(0);
    // Bulk work does not shut out a search.
    scheduler.reserve(500, "interactive").release();
    await inference.finishAll();
    await waiting;
    scheduler.reserve(500, "bulk").release();
  });

  test("takes a request of any size while nothing waits: it is split, not refused", () => {
    const scheduler = setUp(new ManualInference(), { maxQueueTokens: 1000 });
    expect(() => scheduler.reserve(1_000_000, "bulk")).not.toThrow();
  });

  test("counts what is announced, until it is released, once", () => {
    const scheduler = setUp(new ManualInference(), { maxQueueTokens: 1000 });
    const reservation = scheduler.reserve(800, "bulk");
    expect(() => scheduler.reserve(300, "bulk")).toThrow(
      /queue for bulk work is full: 800 of 1000 tokens wait/,
    );
    reservation.release();
    reservation.release();
    expect(scheduler.queuedTokens("bulk")).toBe(0);
  });
});
