import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isKindredError, KindredError } from "@kindred/errors";
import { readLock } from "@kindred/process";
import {
  openSegment,
  scanCache,
  withoutOverwritten,
  type ScannedCache,
  type ScannedSegment,
} from "./open-segments.ts";
import { readRecords } from "./scan-segment.ts";
import { damaged, LOCK } from "./segments.ts";
import { onDisk } from "./storage.ts";
import type { CachedBlock, CachePosition, EmbeddingCacheReader } from "./types.ts";

/** A writer that is just opening the cache is done with cutting off a torn end by then. */
const SECOND_LOOK_MS = 100;

/**
 * Opens a cache for reading, as it is now: what is appended later is not seen. Takes no lock and changes no file, so
 * a writer may be at work. Records that a killed writer left behind its last checkpoint are synced here before they are shown, so that
 * positions hold whatever happens to the machine.
 * @throws KindredError not-found when there is no cache; data-loss, naming segment and byte, when it is damaged
 */
export async function openEmbeddingCacheReader(folder: string): Promise<EmbeddingCacheReader> {
  return await onDisk(`read the embedding cache ${folder}`, async () => {
    const cache = await scanTwice(folder);
    if (!cache) throw new KindredError("not-found", `there is no embedding cache in ${folder}`);
    return new SegmentReader(cache);
  });
}

/** While a writer cuts off a torn end and goes on there, a reader may see some of both. */
async function scanTwice(folder: string): Promise<ScannedCache | undefined> {
  const scan = () => scanCache(folder, (handle) => handle.datasync());
  try {
    return await scan();
  } catch (error) {
    if (!isKindredError(error) || error.kind !== "data-loss") throw error;
    if (await readLock(join(folder, LOCK))) await sleep(SECOND_LOOK_MS);
    return await scan();
  }
}

class SegmentReader implements EmbeddingCacheReader {
  readonly id: string;
  readonly shape: EmbeddingCacheReader["shape"];
  readonly ids: EmbeddingCacheReader["ids"];
  readonly #cache: ScannedCache;
  #closed = false;

  constructor(cache: ScannedCache) {
    this.#cache = cache;
    this.id = cache.cacheId;
    this.shape = cache.shape;
    this.ids = cache.ids;
  }

  async *blocks({
    after,
    signal,
  }: { after?: CachePosition; signal?: AbortSignal } = {}): AsyncGenerator<CachedBlock> {
    if (after) this.#refuseStrange(after);
    for (const segment of this.#cache.segments) {
      if (after && segment.segment < after.segment) continue;
      const from = after?.segment === segment.segment ? after.offset : 0;
      if (segment.blocks.some((block) => block.kind === "records" && block.offset >= from)) {
        yield* this.#blocksOf(segment, from, signal);
      }
    }
  }

  async *#blocksOf(
    scanned: ScannedSegment,
    from: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<CachedBlock> {
    const { segment, path } = scanned;
    const doing = `read ${path}`;
    const file = await onDisk(doing, () => openSegment(path, segment, "r"));
    try {
      for (const { kind, offset, bytes } of scanned.blocks) {
        if (kind === "void" || offset < from) continue;
        if (this.#closed)
          throw new KindredError("failed-precondition", `${path} is read after its reader was closed`);
        signal?.throwIfAborted();
        const whole = await onDisk(doing, () => readRecords(file, { offset, bytes }));
        if (!whole) throw damaged(path, `is damaged in the block at byte ${offset}`);
        const { ids, vectors } = withoutOverwritten(whole, { segment, offset }, this.#cache);
        if (ids.length > 0) yield { ids, vectors, position: { segment, offset: offset + bytes } };
      }
    } finally {
      await file.handle.close();
    }
  }

  /** A position of another cache would leave records out without a word. */
  #refuseStrange({ segment, offset }: CachePosition): void {
    const scanned = this.#cache.segments[segment - 1];
    const within = scanned && offset >= 0 && offset <= scanned.end;
    if (
      within &&
      !scanned.blocks.some((b) => b.kind === "records" && b.offset < offset && offset < b.offset + b.bytes)
    ) {
      return;
    }
    throw new KindredError(
      "failed-precondition",
      `byte ${offset} of segment ${segment} is no place between two blocks of this embedding cache: it was not noted here, or the cache was made anew since. Begin from its start.`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
  }
}
