import { randomUUID } from "node:crypto";
import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { invalidFields, KindredError, type FieldViolation } from "@kindred/errors";
import { lockFile, type ProcessLock, syncFolder } from "@kindred/process";
import {
  BLOCK_HEADER_BYTES,
  blockBytes,
  encodeBlockHeader,
  encodeMark,
  MAX_DIMENSIONS,
  MAX_SPACE_BYTES,
  recordBytes,
} from "./format.ts";
import { scanCache, type ScannedCache } from "./open-segments.ts";
import { PendingRecords } from "./pending-records.ts";
import { RunSet } from "./run-set.ts";
import { createSegment, LOCK, removeUnfinished } from "./segments.ts";
import { onDisk, storageError, writeFully } from "./storage.ts";
import type { CacheShape, EmbeddingCacheWriter } from "./types.ts";

export interface EmbeddingCacheWriterOptions {
  /** Bytes that a block of records has at most, one record excepted. Default 4 MiB. */
  blockBytes?: number;
  /** Bytes that a segment has at most, one block excepted. Default 256 MiB. */
  segmentBytes?: number;
}

const MIB = 2 ** 20;
const BLOCK_BYTES = { default: 4 * MIB, max: 256 * MIB };
const SEGMENT_BYTES = { default: 256 * MIB, max: 2 ** 40 };

/**
 * Opens a cache for writing, and makes it when there is none. What a killed writer left half written at the end is cut off.
 * @throws KindredError failed-precondition when another process writes into it, or it is of another shape; data-loss, naming
 *   segment and byte, when it is damaged elsewhere than at its end; resource-exhausted when the disk is full
 */
export async function openEmbeddingCacheWriter(
  folder: string,
  shape: CacheShape,
  options: EmbeddingCacheWriterOptions = {},
): Promise<EmbeddingCacheWriter> {
  const limits = {
    blockBytes: options.blockBytes ?? BLOCK_BYTES.default,
    segmentBytes: options.segmentBytes ?? SEGMENT_BYTES.default,
  };
  refuseBad(shape, limits);
  return await onDisk(`write the embedding cache ${folder}`, async () => {
    await makeFolder(folder);
    await using stack = new AsyncDisposableStack();
    const lock = stack.use(await holdCache(folder));
    await removeUnfinished(folder);
    const cache = await scanCache(folder, (handle) => handle.datasync());
    if (cache) refuseOther(folder, shape, cache.shape);
    const opened = cache ? await openLast(cache) : await createFirst(folder, shape);
    stack.move();
    return new SegmentWriter({ folder, shape: { ...shape }, limits, lock, ...opened });
  });
}

/** Makes this process the only one that writes into the cache, until the lock is disposed of. */
export async function holdCache(folder: string): Promise<ProcessLock> {
  const lock = await lockFile(join(folder, LOCK));
  if (!("heldBy" in lock)) return lock;
  throw new KindredError(
    "failed-precondition",
    `the embedding cache ${folder} is being written by process ${lock.heldBy}: wait until it has ended, or end it`,
  );
}

function refuseBad(shape: CacheShape, limits: Required<EmbeddingCacheWriterOptions>): void {
  const violations: FieldViolation[] = [];
  const spaceBytes = Buffer.byteLength(shape.spaceId, "utf8");
  if (spaceBytes < 1 || spaceBytes > MAX_SPACE_BYTES) {
    violations.push({
      field: "spaceId",
      description: `must have 1 to ${MAX_SPACE_BYTES} bytes, has ${spaceBytes}`,
    });
  }
  const refuseOutside = (field: string, value: number, max: number): void => {
    if (Number.isInteger(value) && value >= 1 && value <= max) return;
    violations.push({ field, description: `must be 1 to ${max}, is ${value}` });
  };
  refuseOutside("dimensions", shape.dimensions, MAX_DIMENSIONS);
  refuseOutside("blockBytes", limits.blockBytes, BLOCK_BYTES.max);
  refuseOutside("segmentBytes", limits.segmentBytes, SEGMENT_BYTES.max);
  if (violations.length > 0) throw invalidFields(violations);
}

function refuseOther(folder: string, wanted: CacheShape, there: CacheShape): void {
  if (wanted.spaceId === there.spaceId && wanted.dimensions === there.dimensions) return;
  const name = ({ spaceId, dimensions }: CacheShape): string =>
    `space ${spaceId} with ${dimensions} dimensions`;
  throw new KindredError(
    "failed-precondition",
    `the embedding cache ${folder} holds vectors of ${name(there)}, not of ${name(wanted)}: take another folder`,
  );
}

async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true });
  if (made === undefined) return;
  // Every folder that was made here lasts once the one that it lies in does.
  for (let at = resolve(folder); ; at = dirname(at)) {
    await syncFolder(dirname(at));
    if (at === resolve(made)) return;
  }
}

/** The segment that is written to. */
interface Current {
  segment: number;
  handle: FileHandle;
  /** Where the next block goes. */
  end: number;
  sealed: boolean;
  hasBlocks: boolean;
  /** There are blocks that no checkpoint covers. */
  unmarked: boolean;
}

interface Opened {
  cacheId: string;
  current: Current;
  ids: RunSet;
  cutBytes: number;
}

async function createFirst(folder: string, shape: CacheShape): Promise<Opened> {
  const cacheId = randomUUID().replaceAll("-", "");
  const { handle, bytes } = await createSegment(folder, { shape, cacheId, segment: 1 });
  const current = { segment: 1, handle, end: bytes, sealed: false, hasBlocks: false, unmarked: false };
  return { cacheId, current, ids: new RunSet(), cutBytes: 0 };
}

async function openLast({ cacheId, segments, ids }: ScannedCache): Promise<Opened> {
  const last = segments.at(-1);
  if (!last) throw new Error("a cache that was scanned has a segment");
  const handle = await open(last.path, "r+");
  try {
    const cutBytes = last.size - last.end;
    if (cutBytes > 0) {
      await handle.truncate(last.end);
      await handle.sync();
    }
    const { segment, end, sealed, unmarked } = last;
    const current = { segment, handle, end, sealed, hasBlocks: last.blocks.length > 0, unmarked };
    return { cacheId, current, ids, cutBytes };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface SegmentWriterParts extends Opened {
  folder: string;
  shape: CacheShape;
  limits: Required<EmbeddingCacheWriterOptions>;
  lock: ProcessLock;
}

class SegmentWriter implements EmbeddingCacheWriter {
  readonly shape: CacheShape;
  readonly cutBytes: number;
  readonly #folder: string;
  readonly #cacheId: string;
  readonly #ids: RunSet;
  readonly #lock: ProcessLock;
  readonly #limits: Required<EmbeddingCacheWriterOptions>;
  readonly #recordsOfBlock: number;
  readonly #pending: PendingRecords;
  #current: Current;
  /** Calls take turns: the next one begins when this has settled. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The last write failed; what it should have written is still in memory. */
  #unwritten = false;
  /** Nothing can be done any more: nobody knows what is on the disk. */
  #broken: unknown;
  #closing: Promise<void> | undefined;

  constructor(parts: SegmentWriterParts) {
    this.shape = parts.shape;
    this.cutBytes = parts.cutBytes;
    this.#folder = parts.folder;
    this.#cacheId = parts.cacheId;
    this.#ids = parts.ids;
    this.#lock = parts.lock;
    this.#limits = parts.limits;
    this.#current = parts.current;
    const { dimensions } = parts.shape;
    const room = parts.limits.blockBytes - BLOCK_HEADER_BYTES;
    this.#recordsOfBlock = Math.max(1, Math.floor(room / recordBytes(dimensions)));
    this.#pending = new PendingRecords(dimensions, this.#recordsOfBlock);
  }

  get ids(): RunSet {
    return this.#ids;
  }

  async append(ids: BigInt64Array, vectors: Float32Array): Promise<void> {
    refuseBadRecords(ids, vectors, this.shape.dimensions);
    await this.#inTurn(async () => {
      this.#refuseRepeated(ids);
      // Before the records are taken: an append that throws has taken none of them.
      if (this.#pending.count >= this.#recordsOfBlock) await this.#write();
      this.#pending.push(ids, vectors);
      this.#ids.addAll(ids);
    });
  }

  async checkpoint(): Promise<void> {
    await this.#inTurn(() => this.#checkpoint());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#turn.then(() => this.#close());
    await this.#closing;
  }

  async #close(): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.use(this.#lock);
    stack.defer(() => this.#current.handle.close());
    // Who was told that writing failed shall see that error, and not this one's.
    if (!this.#unwritten && !this.#broken) await this.#onDisk(() => this.#checkpoint());
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#closing) {
      throw new KindredError("failed-precondition", `the embedding cache ${this.#folder} is closed`);
    }
    const before = this.#turn;
    const turn = (async () => {
      await before;
      if (this.#broken) throw this.#broken;
      await this.#onDisk(work);
    })();
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  async #onDisk(work: () => Promise<void>): Promise<void> {
    await onDisk(`write the embedding cache ${this.#folder}`, work);
  }

  #refuseRepeated(ids: BigInt64Array): void {
    const there = ids.find((id) => this.#ids.has(id));
    const sorted = isAscending(ids) ? undefined : ids.toSorted();
    const twice = sorted?.find((id, i) => id === sorted[i + 1]);
    const repeated = there ?? twice;
    if (repeated === undefined) return;
    const where = there === undefined ? "comes twice in one append" : "is there already";
    throw new KindredError(
      "already-exists",
      `id ${repeated} ${where}: the embedding cache ${this.#folder} keeps one vector for each id`,
    );
  }

  async #checkpoint(): Promise<void> {
    await this.#write();
    const current = this.#current;
    if (!current.unmarked) return;
    await this.#sync();
    // What was promised is kept by now. The mark tells later readers where damage is no torn end; it may be lost in a crash itself.
    await this.#put([encodeMark("checkpoint", current.segment, current.end)]);
    current.unmarked = false;
  }

  /** All that is pending, as blocks. A failure leaves whole blocks in the file, and the rest pending. */
  async #write(): Promise<void> {
    const { dimensions } = this.shape;
    while (this.#pending.count > 0) {
      const { ids, vectors } = this.#pending.first(this.#recordsOfBlock);
      const count = ids.length / 8;
      const bytes = blockBytes(count, dimensions);
      await this.#makeRoom(bytes);
      const padding = Buffer.alloc(bytes - BLOCK_HEADER_BYTES - ids.length - vectors.length);
      const { segment, end: offset } = this.#current;
      const vectorsCrc = crc32(padding, crc32(vectors));
      const header = encodeBlockHeader({
        kind: "records",
        segment,
        offset,
        bytes,
        count,
        idsCrc: crc32(ids),
        vectorsCrc,
      });
      await this.#put([header, ids, vectors, padding]);
      this.#current.hasBlocks = true;
      this.#current.unmarked = true;
      this.#pending.drop(count);
    }
  }

  /** Goes on to the next segment when this one is full; the next one is there only when this one is synced and sealed. */
  async #makeRoom(bytes: number): Promise<void> {
    const current = this.#current;
    const marks = 2 * BLOCK_HEADER_BYTES;
    if (!current.sealed) {
      if (!current.hasBlocks || current.end + bytes + marks <= this.#limits.segmentBytes) return;
      await this.#sync();
      await this.#put([encodeMark("seal", current.segment, current.end)]);
      current.sealed = true;
      current.unmarked = false;
      await this.#sync();
    }
    const segment = current.segment + 1;
    const header = { shape: this.shape, cacheId: this.#cacheId, segment };
    const next = await this.#attempt(() => createSegment(this.#folder, header));
    this.#current = {
      segment,
      handle: next.handle,
      end: next.bytes,
      sealed: false,
      hasBlocks: false,
      unmarked: false,
    };
    await current.handle.close();
  }

  /** Puts bytes at the end; all of them are there, or none. */
  async #put(buffers: readonly Uint8Array[]): Promise<void> {
    const { handle, end } = this.#current;
    try {
      await this.#attempt(() => writeFully(handle, buffers, end));
    } catch (error) {
      await this.#orBreak(() => handle.truncate(end));
      throw error;
    }
    this.#current.end = end + buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  }

  /** A sync that failed may have thrown away what it should have written, and the next one would not say so: nothing goes on behind it. */
  async #sync(): Promise<void> {
    await this.#orBreak(() => this.#current.handle.datasync());
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    this.#unwritten = true;
    const result = await work();
    this.#unwritten = false;
    return result;
  }

  async #orBreak(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#broken = storageError(error, `write the embedding cache ${this.#folder}`);
      throw error;
    }
  }
}

function isAscending(ids: BigInt64Array): boolean {
  for (let i = 1; i < ids.length; i++) if ((ids[i - 1] as bigint) >= (ids[i] as bigint)) return false;
  return true;
}

function refuseBadRecords(ids: BigInt64Array, vectors: Float32Array, dimensions: number): void {
  if (vectors.length !== ids.length * dimensions) {
    const description = `must have ${ids.length} x ${dimensions} numbers, has ${vectors.length}`;
    throw invalidFields([{ field: "vectors", description }]);
  }
  for (let i = 0; i < vectors.length; i++) {
    if (Number.isFinite(vectors[i])) continue;
    const id = ids[Math.floor(i / dimensions)];
    throw invalidFields([{ field: `vector of id ${id}`, description: `must be finite, has ${vectors[i]}` }]);
  }
}
