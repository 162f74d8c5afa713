import { KindredError } from "@kindred/errors";
import type { BatchLimits } from "./batching.ts";
import type { Priority } from "./embedder.ts";
import type { InferencePort, TokenBatch } from "./inference.ts";
import { WaitingTexts, type WaitingText } from "./waiting-texts.ts";

export interface SchedulerOptions {
  /** Runs work of both priorities. */
  readonly inference: InferencePort;
  /**
   * Runs interactive work only, so that it need not wait for a batch of bulk work to end. Where it is not available, interactive
   * work goes through `inference`, as it also does when there is more of it.
   */
  readonly express?: InferencePort | undefined;
  readonly dimensions: number;
  /** Most tokens of a text. */
  readonly maxTokens: number;
  readonly batches: BatchLimits;
  /** Most tokens that wait in each priority; work that comes to a fuller queue is refused. */
  readonly maxQueueTokens: number;
  /** Hears of every batch that was run. */
  readonly onBatch?: ((batch: FinishedBatch) => void) | undefined;
}

/** What a batch was made of, and what it took. */
export interface FinishedBatch {
  readonly texts: number;
  /** Real tokens. */
  readonly tokens: number;
  /** Tokens with padding: texts x the longest of them. */
  readonly paddedTokens: number;
  readonly inferenceMs: number;
}

export interface EmbeddedTokens {
  /** texts x dimensions floats, in the order of the texts. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** Until the first batch started. */
  readonly queueMs: number;
  /** Time inside the model, summed over the batches that had a text of this request. */
  readonly inferenceMs: number;
}

/** Room in the queue, held until the work is submitted or given up. */
export interface Reservation {
  /** Gives the room back, once. */
  release(): void;
}

interface Request {
  readonly vectors: Float32Array<ArrayBuffer>;
  readonly priority: Priority;
  readonly submittedAt: number;
  remaining: number;
  startedAt: number | undefined;
  inferenceMs: number;
  readonly done: PromiseWithResolvers<EmbeddedTokens>;
}

/** While both kinds wait, every so-manyth batch is bulk work: it is slowed down, never stopped. */
const BULK_SHARE = 5;
/** Weight of the newest batch in the running mean of the throughput. */
const SMOOTHING = 0.1;
/** Assumed until something has been measured, tokens a millisecond and worker. */
const INITIAL_RATE = 4;
const MIN_RETRY_MS = 50;

function assemble(texts: readonly WaitingText<Request>[]): TokenBatch {
  const lengths = Int32Array.from(texts, (text) => text.ids.length);
  const columns = Math.max(...lengths);
  const ids = new Int32Array(texts.length * columns);
  for (const [row, text] of texts.entries()) ids.set(text.ids, row * columns);
  return { ids, lengths, rows: texts.length, columns };
}

/**
 * Queues texts by tokens and runs them in batches of similar length. Texts of different requests share batches;
 * requests of one priority take turns, so that a small one does not wait for a large one to finish.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #waiting: Record<Priority, WaitingTexts<Request>>;
  readonly #reserved: Record<Priority, number> = { interactive: 0, bulk: 0 };
  readonly #running = new Map<InferencePort, number>();
  #interactiveInRow = 0;
  #tokensPerMs: number;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#waiting = {
      interactive: new WaitingTexts(options.maxTokens),
      bulk: new WaitingTexts(options.maxTokens),
    };
    this.#tokensPerMs = INITIAL_RATE;
  }

  /** Tokens of a priority that wait or are announced. */
  queuedTokens(priority: Priority): number {
    return this.#reserved[priority] + this.#waiting[priority].tokens;
  }

  /**
   * Announces work of about so many tokens. Each priority has a queue of its own, so that bulk work that waits does not shut
   * out interactive work; an empty queue takes work of any size: it is split, not refused.
   * @throws KindredError resource-exhausted, with the time after which there should be room again.
   */
  reserve(tokens: number, priority: Priority): Reservation {
    const queued = this.queuedTokens(priority);
    const { maxQueueTokens, inference } = this.#options;
    if (queued > 0 && queued + tokens > maxQueueTokens) {
      const excess = Math.min(queued, queued + tokens - maxQueueTokens);
      const retryAfterMs = Math.max(
        MIN_RETRY_MS,
        Math.ceil(excess / (this.#tokensPerMs * inference.concurrency)),
      );
      throw new KindredError(
        "resource-exhausted",
        `the queue for ${priority} work is full: ${queued} of ${maxQueueTokens} tokens wait, and this request has about ${tokens}`,
        { retryAfterMs },
      );
    }
    this.#reserved[priority] += tokens;
    let held = tokens;
    return {
      release: () => {
        this.#reserved[priority] -= held;
        held = 0;
      },
    };
  }

  /**
   * Embeds texts given as token ids. An aborted signal removes those that still wait, and rejects with the
   * signal's reason. Rejects with the inference port's error when a batch fails.
   */
  submit(
    texts: readonly Int32Array<ArrayBuffer>[],
    options: { priority: Priority; signal?: AbortSignal | undefined },
  ): Promise<EmbeddedTokens> {
    const { priority, signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const request: Request = {
      vectors: new Float32Array(texts.length * this.#options.dimensions),
      priority,
      submittedAt: performance.now(),
      remaining: texts.length,
      startedAt: undefined,
      inferenceMs: 0,
      done: Promise.withResolvers(),
    };
    this.#waiting[priority].add(
      request,
      texts.map((ids, row) => ({ request, row, ids })),
    );
    const abort = () => this.#fail(request, signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#dispatch();
    return request.done.promise.finally(() => signal?.removeEventListener("abort", abort));
  }

  #dispatch(): void {
    for (;;) {
      const { inference, express, batches } = this.#options;
      let port = inference;
      let texts: WaitingText<Request>[] | undefined;
      if (express?.available && this.#isFree(express)) {
        port = express;
        texts = this.#waiting.interactive.nextBatch(batches);
      }
      if (texts === undefined && this.#isFree(inference)) {
        port = inference;
        texts = this.#nextBatch();
      }
      if (texts === undefined) return;
      void this.#run(port, texts);
    }
  }

  #isFree(port: InferencePort): boolean {
    return (this.#running.get(port) ?? 0) < port.concurrency;
  }

  #nextBatch(): WaitingText<Request>[] | undefined {
    const { interactive, bulk } = this.#waiting;
    const bulkTurn = this.#interactiveInRow >= BULK_SHARE - 1 && bulk.tokens > 0;
    if (interactive.tokens > 0 && !bulkTurn) {
      this.#interactiveInRow = bulk.tokens > 0 ? this.#interactiveInRow + 1 : 0;
      return interactive.nextBatch(this.#options.batches);
    }
    this.#interactiveInRow = 0;
    return bulk.nextBatch(this.#options.batches);
  }

  /** Never rejects: a failure belongs to the requests whose texts were in the batch. */
  async #run(port: InferencePort, texts: readonly WaitingText<Request>[]): Promise<void> {
    const batch = assemble(texts);
    const startedAt = performance.now();
    for (const { request } of texts) request.startedAt ??= startedAt;
    this.#running.set(port, (this.#running.get(port) ?? 0) + 1);
    try {
      const { vectors, inferenceMs } = await port.run(batch);
      this.#measure(batch, performance.now() - startedAt);
      this.#options.onBatch?.({
        texts: batch.rows,
        tokens: batch.lengths.reduce((sum, length) => sum + length, 0),
        paddedTokens: batch.rows * batch.columns,
        inferenceMs,
      });
      const { dimensions } = this.#options;
      for (const [row, text] of texts.entries()) {
        text.request.vectors.set(
          vectors.subarray(row * dimensions, (row + 1) * dimensions),
          text.row * dimensions,
        );
      }
      for (const request of new Set(texts.map((text) => text.request))) request.inferenceMs += inferenceMs;
      for (const { request } of texts) if (--request.remaining === 0) this.#finish(request);
    } catch (error) {
      for (const request of new Set(texts.map((text) => text.request))) this.#fail(request, error);
    } finally {
      this.#running.set(port, (this.#running.get(port) ?? 0) - 1);
      this.#dispatch();
    }
  }

  #finish(request: Request): void {
    // Its turn may still stand in the line, and would keep its texts alive.
    this.#waiting[request.priority].remove(request);
    const { vectors, inferenceMs, submittedAt, startedAt = submittedAt } = request;
    request.done.resolve({ vectors, inferenceMs, queueMs: startedAt - submittedAt });
  }

  #fail(request: Request, error: unknown): void {
    this.#waiting[request.priority].remove(request);
    request.done.reject(error);
  }

  #measure(batch: TokenBatch, ms: number): void {
    const rate = (batch.rows * batch.columns) / Math.max(ms, 0.1);
    this.#tokensPerMs += SMOOTHING * (rate - this.#tokensPerMs);
  }
}
