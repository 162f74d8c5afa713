import type { EmbeddingCacheWriter } from "@kindred/embedding-cache";
import { KindredError } from "@kindred/errors";
import { embedBatch, type EmbeddedBatch, type EmbeddedTexts, type RefusedSong } from "./embed-batch.ts";
import { Patience, type PatienceDeps } from "./call-patiently.ts";
import { readPending, type PendingFile } from "./pending-songs.ts";
import type { Progress } from "./progress.ts";
import { inSongBatches, type BatchLimits, type SongBatch } from "./song-batches.ts";
import { StageError } from "./stage-error.ts";

/** Looks so often in the time of a checkpoint whether one is due. */
const TICKS = 4;

/** Where more songs are refused than these, and this share of those that were not, it is not the songs' fault. */
const MOST_REFUSED = 100;
const MOST_REFUSED_SHARE = 0.01;

export interface EmbedSongsDeps extends Omit<PatienceDeps, "progress"> {
  /**
   * Embeds texts by one call into the cache's space. Throws KindredErrors; failed-precondition where the space is another one.
   * @param signal gives the call up
   */
  embed: (texts: string[], signal: AbortSignal) => Promise<EmbeddedTexts>;
  cache: EmbeddingCacheWriter;
  progress: Progress;
  /** The provider takes this song in no form; it gets no vector. */
  onRefused: (song: RefusedSong) => void;
}

export interface EmbedSongsOptions {
  /** Calls under way at the same time. */
  workers: number;
  batch: BatchLimits;
  /** What was appended is synced when so many vectors wait for it ... */
  checkpointRecords: number;
  /** ... or for so long, in milliseconds. */
  checkpointMs: number;
  /** Gives up when the service has not answered for so long, in milliseconds. */
  patienceMs: number;
  /** A wish to stop: calls under way are finished, what they give is synced, and nothing is begun any more. */
  stop: AbortSignal;
}

export interface EmbedSongsResult {
  embedded: number;
  refused: number;
  /** Whether `stop` was heeded while there was more to do. */
  stopped: boolean;
}

/**
 * Embeds the songs of these rows that have no vector, several calls at a time, and appends their vectors to the cache in the order in which they come. Everything
 * that was synced survives whatever happens, and is not embedded again: see findPending. When something fails, calls under way are finished and
 * synced as far as that is possible.
 * @throws StageError: where it failed, with the reason
 */
export async function embedSongs(
  files: readonly PendingFile[],
  deps: EmbedSongsDeps,
  options: EmbedSongsOptions,
): Promise<EmbedSongsResult> {
  const { cache } = deps;
  const run = new EmbedRun(deps, options);
  const songs = inSongBatches(readPending(files, cache.ids), options.batch);
  const workers = Array.from({ length: options.workers }, () => run.work(songs));
  // Calls may take minutes: what came before them is synced all the same.
  const timer = setInterval(() => void run.syncIfDue(), options.checkpointMs / TICKS);
  await Promise.all(workers).finally(() => clearInterval(timer));
  await songs.return(undefined);
  await run.finish();
  return run.result;
}

class EmbedRun {
  readonly #deps: EmbedSongsDeps;
  readonly #options: EmbedSongsOptions;
  readonly #patience: Patience;
  /** No batch is begun any more, and nobody waits. */
  readonly #stop = new AbortController();
  readonly #stopping: AbortSignal;
  /** Calls under way are of no use any more: their vectors cannot be stored. */
  readonly #over = new AbortController();
  #failure: StageError | undefined;
  #hasEnded = false;
  #gaveUp = false;
  #embedded = 0;
  #refused = 0;
  /** Of the cache: one after the other. */
  #writing: Promise<void> = Promise.resolve();
  #unsynced = 0;
  #syncedAt: number;

  constructor(deps: EmbedSongsDeps, options: EmbedSongsOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#patience = new Patience(deps, options.patienceMs);
    this.#stopping = AbortSignal.any([options.stop, this.#stop.signal]);
    this.#syncedAt = deps.now();
  }

  get result(): EmbedSongsResult {
    return { embedded: this.#embedded, refused: this.#refused, stopped: this.#gaveUp || !this.#hasEnded };
  }

  /** Takes batches until there are no more. Never rejects: what fails first is thrown by `finish`. */
  async work(batches: AsyncGenerator<SongBatch>): Promise<void> {
    while (!this.#stopping.aborted) {
      const next = await this.#at("source", () => batches.next());
      if (!next) return;
      if (next.done === true) {
        this.#hasEnded = true;
        return;
      }
      // Read while something else failed: it comes again next time.
      if (this.#stopping.aborted) return;
      // Songs of files made elsewhere may have no lyrics, and providers take no empty text.
      const songs = next.value.songs.filter(({ lyrics }) => lyrics !== "");
      const embedded = await this.#embed({ ...next.value, songs });
      if (!embedded) return;
      await this.#at("cache", () => this.#store(embedded, next.value.songs.length - songs.length));
      await this.#at("service", async () => this.#limitRefused(embedded.refused.at(-1)));
    }
  }

  /** @throws StageError */
  async finish(): Promise<void> {
    // What was embedded has cost time or money; a cache that failed cannot take it.
    if (this.#failure?.stage !== "cache") await this.#at("cache", () => this.#alone(() => this.#sync()));
    if (this.#failure) throw this.#failure;
  }

  #embed(batch: SongBatch): Promise<EmbeddedBatch | undefined> {
    const { embed } = this.#deps;
    return this.#at("service", () =>
      embedBatch(
        batch,
        (texts) => this.#patience.call(() => embed(texts, this.#over.signal), this.#stopping),
        this.#options.batch.maxTokens,
      ),
    );
  }

  async #store(
    { ids, vectors, tokens, truncated, refused }: EmbeddedBatch,
    withoutLyrics: number,
  ): Promise<void> {
    await this.#alone(async () => {
      const { cache, progress, onRefused } = this.#deps;
      if (ids.length > 0) await cache.append(BigInt64Array.from(ids), vectors);
      this.#embedded += ids.length;
      this.#refused += refused.length;
      this.#unsynced += ids.length;
      for (const song of refused) onRefused(song);
      progress.add({
        done: ids.length,
        skipped: refused.length + withoutLyrics,
        bytes: vectors.byteLength,
        tokens,
        truncated,
      });
      if (this.#isDue()) await this.#sync();
    });
  }

  #isDue(): boolean {
    const { checkpointRecords, checkpointMs } = this.#options;
    if (this.#unsynced === 0) return false;
    return this.#unsynced >= checkpointRecords || this.#deps.now() - this.#syncedAt >= checkpointMs;
  }

  /** Never rejects: what fails is thrown by `finish`. */
  async syncIfDue(): Promise<void> {
    await this.#at("cache", () =>
      this.#alone(async () => {
        if (this.#isDue()) await this.#sync();
      }),
    );
  }

  #limitRefused(last: RefusedSong | undefined): void {
    if (!last || this.#refused <= MOST_REFUSED + MOST_REFUSED_SHARE * this.#embedded) return;
    throw new KindredError(
      "failed-precondition",
      `${this.#refused} songs were refused, and ${this.#embedded} were embedded; the last one, ${last.id}: ${last.reason}`,
    );
  }

  async #sync(): Promise<void> {
    await this.#deps.cache.checkpoint();
    this.#unsynced = 0;
    this.#syncedAt = this.#deps.now();
  }

  /** Does it when everything before it is done. */
  #alone(work: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(work);
    // Whoever comes next does not fail with it; a cache that failed says so again.
    this.#writing = done.catch(() => undefined);
    return done;
  }

  /** What the work gives; undefined where it failed, or was given up. */
  async #at<T>(stage: StageError["stage"], work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      // A wait that was ended by the wish to stop is no failure.
      if (this.#stopping.aborted && error === this.#stopping.reason) {
        this.#gaveUp = true;
        return undefined;
      }
      this.#failure ??= new StageError(stage, error);
      this.#stop.abort(this.#failure);
      if (stage === "cache") this.#over.abort(this.#failure);
      return undefined;
    }
  }
}
