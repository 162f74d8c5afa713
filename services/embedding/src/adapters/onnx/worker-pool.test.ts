import { describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { silentLogger } from "@kindred/testing";
import type { BatchResult, TokenBatch } from "../../domain/inference.ts";
import { OutOfMemory, WorkerLost, type InferenceWorker } from "./inference-worker.ts";
import { WorkerPool } from "./worker-pool.ts";

const BATCH: TokenBatch = { ids: Int32Array.of(1), lengths: Int32Array.of(1), rows: 1, columns: 1 };
const RESULT: BatchResult = { vectors: Float32Array.of(1), inferenceMs: 1 };

type Behaviour = (worker: FakeWorker, batch: TokenBatch) => Promise<BatchResult>;

/** A worker that does with each batch what it is told to. */
class FakeWorker implements InferenceWorker {
  readonly #end = Promise.withResolvers<void>();
  readonly ended = this.#end.promise;
  readonly behave: Behaviour;
  disposed = false;

  constructor(behave: Behaviour) {
    this.behave = behave;
  }
  run(batch: TokenBatch): Promise<BatchResult> {
    return this.behave(this, batch);
  }
  die(): never {
    this.#end.resolve();
    throw new WorkerLost("the thread ended");
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
    this.#end.resolve();
  }
}

const works = async () => RESULT;
const dies = async (worker: FakeWorker) => worker.die();

/** A pool whose workers behave in the given ways, in the order of their start; the last way stays. */
async function setUp(size: number, ...ways: Behaviour[]) {
  const workers: FakeWorker[] = [];
  const availability: boolean[] = [];
  const pool = await WorkerPool.start({
    size,
    logger: silentLogger(),
    backoffMs: 1,
    onAvailable: (available) => availability.push(available),
    start: async () => {
      const worker = new FakeWorker(ways[Math.min(workers.length, ways.length - 1)] ?? works);
      workers.push(worker);
      return worker;
    },
  });
  return { pool, workers, availability };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test("a batch whose worker dies is run again by another, and the dead one is replaced", async () => {
  const { pool, workers } = await setUp(2, works, dies, works);
  await expect(Promise.all([pool.run(BATCH), pool.run(BATCH)])).resolves.toEqual([RESULT, RESULT]);
  await settled();
  expect(workers).toHaveLength(3);
  await pool[Symbol.asyncDispose]();
});

test("with one worker the batch waits for the replacement", async () => {
  const { pool, availability } = await setUp(1, dies, works);
  await expect(pool.run(BATCH)).resolves.toEqual(RESULT);
  expect(availability).toEqual([true, false, true]);
  await pool[Symbol.asyncDispose]();
});

test("a batch that kills two workers is given up, and the pool goes on", async () => {
  const { pool } = await setUp(1, dies, dies, works);
  await expect(pool.run(BATCH)).rejects.toMatchObject({
    kind: "unavailable",
    message: expect.stringContaining("twice"),
  });
  await expect(pool.run(BATCH)).resolves.toEqual(RESULT);
  await pool[Symbol.asyncDispose]();
});

test("an error of the model is no crash: it is passed on, and nothing is run again", async () => {
  let runs = 0;
  const { pool, workers } = await setUp(1, async () => {
    runs++;
    throw new KindredError("internal", "bad shape");
  });
  await expect(pool.run(BATCH)).rejects.toThrow("bad shape");
  expect([runs, workers.length]).toEqual([1, 1]);
  await pool[Symbol.asyncDispose]();
});

test("batches wait for a free worker, first come first served", async () => {
  const running: PromiseWithResolvers<BatchResult>[] = [];
  const { pool } = await setUp(1, () => {
    const done = Promise.withResolvers<BatchResult>();
    running.push(done);
    return done.promise;
  });
  const order: number[] = [];
  const all = [1, 2, 3].map((n) => pool.run(BATCH).then(() => order.push(n)));
  for (let i = 0; i < 3; i++) {
    await settled();
    expect(running).toHaveLength(i + 1);
    running[i]?.resolve(RESULT);
  }
  await Promise.all(all);
  expect(order).toEqual([1, 2, 3]);
  await pool[Symbol.asyncDispose]();
});

describe("when memory runs out", () => {
  /** Texts of 1 to `rows` tokens, all ids of a text equal to its length. */
  const batchOf = (rows: number): TokenBatch => {
    const ids = new Int32Array(rows * rows);
    const lengths = Int32Array.from({ length: rows }, (_, row) => row + 1);
    for (let row = 0; row < rows; row++) ids.fill(row + 1, row * rows, row * rows + row + 1);
    return { ids, lengths, rows, columns: rows };
  };
  /** Takes batches of so many tokens, padding included; a text's vector is its first id. */
  const takes = (tokens: number, seen: TokenBatch[] = []): Behaviour => {
    return async (_worker, batch) => {
      seen.push(batch);
      if (batch.rows * batch.columns > tokens) throw new OutOfMemory("Failed to allocate memory");
      const vectors = Float32Array.from(batch.lengths, (_, row) => batch.ids[row * batch.columns] as number);
      return { vectors, inferenceMs: 1 };
    };
  };

  test("a batch is halved until it fits, and the vectors keep their order", async () => {
    const seen: TokenBatch[] = [];
    const { pool, workers, availability } = await setUp(1, takes(20, seen));
    const { vectors, inferenceMs } = await pool.run(batchOf(13));
    expect([...vectors]).toEqual(Array.from({ length: 13 }, (_, row) => row + 1));
    const ran = seen.filter(({ rows, columns }) => rows * columns <= 20);
    expect(inferenceMs).toBe(ran.length);
    // Halves are padded to their own longest text only.
    for (const { lengths, columns } of seen) expect(Math.max(...lengths)).toBe(columns);
    expect([workers.length, availability]).toEqual([1, [true]]);
    await pool[Symbol.asyncDispose]();
  });

  test("a worker that cannot run one text is replaced, and the pool is not available meanwhile", async () => {
    const { pool, workers, availability } = await setUp(1, takes(0), takes(100));
    await expect(pool.run(BATCH)).resolves.toEqual({ vectors: Float32Array.of(1), inferenceMs: 1 });
    expect(workers.map(({ disposed }) => disposed)).toEqual([true, false]);
    expect(availability).toEqual([true, false, true]);
    expect(pool.available).toBe(true);
    await pool[Symbol.asyncDispose]();
  });

  test("a text for which even a fresh worker has no memory is refused, and others are not", async () => {
    const { pool } = await setUp(1, takes(30));
    const long = { ids: new Int32Array(31), lengths: Int32Array.of(31), rows: 1, columns: 31 };
    await expect(pool.run(long)).rejects.toMatchObject({
      kind: "resource-exhausted",
      message: "memory does not suffice for a text of 31 tokens",
      retryAfterMs: expect.any(Number),
    });
    await expect(pool.run(BATCH)).resolves.toEqual({ vectors: Float32Array.of(1), inferenceMs: 1 });
    await pool[Symbol.asyncDispose]();
  });
});

describe("starting", () => {
  test("keeps trying to replace a worker that cannot start", async () => {
    let starts = 0;
    const pool = await WorkerPool.start({
      size: 1,
      logger: silentLogger(),
      backoffMs: 1,
      start: async () => {
        starts++;
        if (starts === 2 || starts === 3) throw new Error("no memory");
        return new FakeWorker(starts === 1 ? dies : works);
      },
    });
    await expect(pool.run(BATCH)).resolves.toEqual(RESULT);
    expect(starts).toBe(4);
    await pool[Symbol.asyncDispose]();
  });

  test("fails as a whole when one worker cannot start, leaving none behind", async () => {
    const worker = new FakeWorker(works);
    let starts = 0;
    const starting = WorkerPool.start({
      size: 2,
      logger: silentLogger(),
      start: async () => {
        starts++;
        if (starts === 2) throw new Error("no memory");
        return worker;
      },
    });
    await expect(starting).rejects.toThrow("no memory");
    expect(worker.disposed).toBe(true);
  });
});

test("disposing ends the workers, refuses what waits, and replaces nobody", async () => {
  const { pool, workers } = await setUp(1, () => new Promise(() => undefined));
  void pool.run(BATCH);
  const waiting = pool.run(BATCH).catch((error: unknown) => error);
  await pool[Symbol.asyncDispose]();
  await expect(waiting).resolves.toMatchObject({ kind: "unavailable" });
  expect(workers.map((worker) => worker.disposed)).toEqual([true]);
});
