import { setTimeout as sleep } from "node:timers/promises";
import { KindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import type { BatchResult, InferencePort, TokenBatch } from "../../domain/inference.ts";
import { OutOfMemory, WorkerLost, type InferenceWorker } from "./inference-worker.ts";
import { joinResults, splitBatch } from "./split-batch.ts";

export interface WorkerPoolOptions {
  readonly size: number;
  /** Starts a worker whose session is warm. */
  readonly start: () => Promise<InferenceWorker>;
  readonly logger: Logger;
  /** Tells whether any worker is there to run batches. */
  readonly onAvailable?: (available: boolean) => void;
  /** Before a second failed start in a row is tried again; doubles up to a minute. */
  readonly backoffMs?: number;
}

const MAX_BACKOFF_MS = 60_000;
/** By then the memory that others took may be free again. */
const OUT_OF_MEMORY_RETRY_MS = 5000;
/** How long a batch waits for a worker when there is none. */
const WORKER_WAIT_MS = 10_000;

/** Keeps a number of workers alive: one that dies is replaced, and its batch is run once more by another. */
export class WorkerPool implements InferencePort, AsyncDisposable {
  readonly concurrency: number;
  readonly #options: WorkerPoolOptions;
  readonly #workers = new Set<InferenceWorker>();
  readonly #idle: InferenceWorker[] = [];
  readonly #wanted: PromiseWithResolvers<InferenceWorker>[] = [];
  readonly #closing = new AbortController();
  readonly #replacements = new Set<Promise<void>>();

  private constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.concurrency = options.size;
  }

  /** Starts all workers; rejects, with none left running, when one cannot start. */
  static async start(options: WorkerPoolOptions): Promise<WorkerPool> {
    const pool = new WorkerPool(options);
    const starts = await Promise.allSettled(Array.from({ length: options.size }, () => options.start()));
    for (const result of starts) if (result.status === "fulfilled") pool.#add(result.value);
    const failure = starts.find((result) => result.status === "rejected");
    if (failure !== undefined) {
      await pool[Symbol.asyncDispose]();
      throw failure.reason;
    }
    return pool;
  }

  get available(): boolean {
    return this.#workers.size > 0;
  }

  /**
   * A batch that memory does not suffice for is run in halves, down to single texts; when even one does not fit, the worker is
   * replaced by one whose memory is not in pieces, and the text gets one more chance.
   * Rejects with unavailable when the batch has cost two workers their lives, or when there is none for a while, and with
   * resource-exhausted when memory does not suffice for one text.
   */
  async run(batch: TokenBatch): Promise<BatchResult> {
    try {
      return await this.#runTwice(batch);
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      const { rows, columns } = batch;
      if (rows > 1) {
        this.#options.logger.warn({ err: error, rows, columns }, "out of memory: running a batch in halves");
        const [first, second] = splitBatch(batch);
        return joinResults(await this.run(first), await this.run(second));
      }
      throw new KindredError(
        "resource-exhausted",
        `memory does not suffice for a text of ${columns} tokens`,
        {
          cause: error,
          retryAfterMs: OUT_OF_MEMORY_RETRY_MS,
        },
      );
    }
  }

  async #runTwice(batch: TokenBatch): Promise<BatchResult> {
    try {
      return await this.#runOnce(batch);
    } catch (error) {
      const recycled = error instanceof OutOfMemory && batch.rows === 1;
      if (!(error instanceof WorkerLost) && !recycled) throw error;
      this.#options.logger.warn(
        { err: error, rows: batch.rows, columns: batch.columns },
        "running a batch again",
      );
    }
    try {
      return await this.#runOnce(batch);
    } catch (error) {
      if (!(error instanceof WorkerLost)) throw error;
      throw new KindredError("unavailable", "the embedding model crashed twice on this work", {
        cause: error,
      });
    }
  }

  async #runOnce(batch: TokenBatch): Promise<BatchResult> {
    const worker = await this.#acquire();
    try {
      return await worker.run(batch);
    } catch (error) {
      if (error instanceof OutOfMemory && batch.rows === 1) await this.#recycle(worker);
      throw error;
    } finally {
      this.#release(worker);
    }
  }

  /** Ends a worker; that it ended brings the next one, and makes the pool unavailable in between when it was the only one. */
  async #recycle(worker: InferenceWorker): Promise<void> {
    this.#lost(worker);
    await worker[Symbol.asyncDispose]();
  }

  async #acquire(): Promise<InferenceWorker> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const wanted = Promise.withResolvers<InferenceWorker>();
    this.#wanted.push(wanted);
    const timer = setTimeout(() => {
      wanted.reject(new KindredError("unavailable", "no worker is there to run the embedding model"));
    }, WORKER_WAIT_MS);
    try {
      return await wanted.promise;
    } finally {
      clearTimeout(timer);
      const index = this.#wanted.indexOf(wanted);
      if (index !== -1) this.#wanted.splice(index, 1);
    }
  }

  #release(worker: InferenceWorker): void {
    if (!this.#workers.has(worker)) return;
    const wanted = this.#wanted.shift();
    if (wanted === undefined) this.#idle.push(worker);
    else wanted.resolve(worker);
  }

  #add(worker: InferenceWorker): void {
    this.#workers.add(worker);
    if (this.#workers.size === 1) this.#options.onAvailable?.(true);
    this.#release(worker);
    void worker.ended.then(() => this.#lost(worker));
  }

  #lost(worker: InferenceWorker): void {
    // Heard of already when it was recycled.
    if (!this.#workers.delete(worker)) return;
    const index = this.#idle.indexOf(worker);
    if (index !== -1) this.#idle.splice(index, 1);
    if (this.#closing.signal.aborted) return;
    this.#options.logger.error({ workers: this.#workers.size }, "an inference worker is lost and replaced");
    if (this.#workers.size === 0) this.#options.onAvailable?.(false);
    const replacement = this.#replace().finally(() => this.#replacements.delete(replacement));
    this.#replacements.add(replacement);
  }

  /** Never rejects: tries until a worker is there or the pool closes. */
  async #replace(): Promise<void> {
    const { start, logger, backoffMs = 1000 } = this.#options;
    const { signal } = this.#closing;
    for (let wait = backoffMs; !signal.aborted; wait = Math.min(wait * 2, MAX_BACKOFF_MS)) {
      try {
        const worker = await start();
        if (signal.aborted) await worker[Symbol.asyncDispose]();
        else this.#add(worker);
        return;
      } catch (error) {
        logger.error(
          { err: error, retryInMs: wait },
          `an inference worker could not start: ${messageOf(error)}`,
        );
        // Rejects only when the pool closes, and then the loop ends.
        await sleep(wait, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Ends all workers; batches that still run are lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const closed = new KindredError("unavailable", "the embedding service is stopping");
    for (const wanted of this.#wanted) wanted.reject(closed);
    await Promise.all([...this.#workers].map((worker) => worker[Symbol.asyncDispose]()));
    await Promise.all(this.#replacements);
  }
}
