import type { CachePosition, EmbeddingCacheReader } from "@kindred/embedding-cache";
import { Patience, type PatienceDeps } from "./call-patiently.ts";
import type { Progress } from "./progress.ts";
import { StageError } from "./stage-error.ts";
import { inUploadBatches, type UploadBatch } from "./upload-batches.ts";
import type { VectorSink } from "./vector-sink.ts";

export interface UploadSongsDeps extends Omit<PatienceDeps, "progress"> {
  cache: EmbeddingCacheReader;
  sink: VectorSink;
  progress: Progress;
  /** Keeps how far it is: everything before the position, so many vectors of this run, is stored. */
  checkpoint: (position: CachePosition, rows: number) => Promise<void>;
}

export interface UploadSongsOptions {
  /** Where to begin. */
  after?: CachePosition;
  /** Vectors of one transaction. */
  batchSize: number;
  /** How often the position is kept, in milliseconds, at most. */
  checkpointMs: number;
  /** Gives up when the store has not answered for so long, in milliseconds. */
  patienceMs: number;
  /** A wish to stop: batches that were sent are finished, and how far it is is kept. */
  stop: AbortSignal;
}

/** Of this run. */
export interface UploadTotals {
  /** Vectors that are stored, each counted once. */
  rows: number;
  /** As the store counted them: what was sent twice, because a connection broke, counts as replaced or skipped as well. */
  inserted: number;
  replaced: number;
  skipped: number;
  /** Whether `stop` was heeded. */
  stopped: boolean;
}

/**
 * Stores all vectors of the cache behind a position, in their order. A connection that breaks is opened again behind the last batch that was answered, and
 * sends what was under way once more: `sink` has to take a key twice.
 * @throws StageError: where it failed, with the reason
 */
export async function uploadSongs(deps: UploadSongsDeps, options: UploadSongsOptions): Promise<UploadTotals> {
  return await new UploadRun(deps, options).run();
}

class UploadRun {
  readonly #deps: UploadSongsDeps;
  readonly #options: UploadSongsOptions;
  readonly #patience: Patience;
  readonly #totals: UploadTotals = { rows: 0, inserted: 0, replaced: 0, skipped: 0, stopped: false };
  #position: CachePosition | undefined;
  /** Vectors of this run before the position. */
  #rowsBefore = 0;
  #keptAt: number;
  #isKept = true;
  #sourceFailure: unknown;

  constructor(deps: UploadSongsDeps, options: UploadSongsOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#patience = new Patience(deps, options.patienceMs);
    this.#position = options.after;
    this.#keptAt = deps.now();
  }

  async run(): Promise<UploadTotals> {
    const { stop } = this.#options;
    try {
      for (let attempt = 0; !stop.aborted; attempt++) {
        try {
          await this.#storeAll(() => (attempt = 0));
          break;
        } catch (error) {
          await this.#waitAfter(error, attempt);
        }
      }
    } catch (error) {
      await this.#keep().catch(() => undefined);
      throw error;
    }
    await this.#keep();
    return { ...this.#totals, stopped: stop.aborted };
  }

  async #waitAfter(error: unknown, attempt: number): Promise<void> {
    if (error instanceof StageError) throw error;
    if (this.#sourceFailure !== undefined) throw new StageError("source", this.#sourceFailure);
    const { stop } = this.#options;
    try {
      await this.#patience.waitAfter(error, attempt, stop);
    } catch (final) {
      if (!stop.aborted || final !== stop.reason) throw new StageError("service", final);
    }
  }

  async #storeAll(onStored: () => void): Promise<void> {
    const { sink, progress } = this.#deps;
    // Rows that an attempt before this one stored behind the position come once more.
    let repeated = this.#totals.rows - this.#rowsBefore;
    let rows = this.#rowsBefore;
    for await (const { batch, ...counts } of sink.store(this.#batches(), this.#options.stop)) {
      onStored();
      this.#patience.renew();
      const count = batch.ids.length;
      const again = Math.min(count, repeated);
      repeated -= again;
      this.#totals.rows += count - again;
      this.#totals.inserted += counts.inserted;
      this.#totals.replaced += counts.replaced;
      this.#totals.skipped += counts.skipped;
      progress.add({ done: count - again, bytes: batch.vectors.byteLength });
      const { end } = batch;
      const rowsBefore = rows;
      rows += count;
      if (!end) continue;
      this.#position = end.position;
      this.#rowsBefore = rowsBefore + end.rows;
      this.#isKept = false;
      if (this.#deps.now() - this.#keptAt >= this.#options.checkpointMs) await this.#keep();
    }
  }

  async *#batches(): AsyncGenerator<UploadBatch> {
    const { cache } = this.#deps;
    const { stop, batchSize } = this.#options;
    const blocks = cache.blocks({ ...(this.#position && { after: this.#position }) });
    try {
      for await (const batch of inUploadBatches(blocks, cache.shape.dimensions, batchSize)) {
        if (stop.aborted) return;
        yield batch;
      }
    } catch (error) {
      this.#sourceFailure = error;
      throw error;
    }
  }

  async #keep(): Promise<void> {
    if (this.#isKept || !this.#position) return;
    try {
      await this.#deps.checkpoint(this.#position, this.#rowsBefore);
    } catch (error) {
      throw new StageError("cache", error);
    }
    this.#isKept = true;
    this.#keptAt = this.#deps.now();
  }
}
