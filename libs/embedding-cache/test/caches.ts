import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { openEmbeddingCacheReader, openEmbeddingCacheWriter } from "../src/index.ts";

export const SHAPE = { spaceId: "minilm-l6-v2", dimensions: 3 };

/** Blocks of four records, segments of four blocks or a few more smaller ones. */
export const SMALL = { blockBytes: 130, segmentBytes: 650 };

/** Each id has its vector, so that a record tells by itself whether it is right. */
export function vectorsOf(
  ids: ArrayLike<bigint> & Iterable<bigint>,
  dimensions = SHAPE.dimensions,
): Float32Array {
  const vectors = new Float32Array(ids.length * dimensions);
  let at = 0;
  for (const id of ids) for (let i = 0; i < dimensions; i++) vectors[at++] = Math.sin(Number(id) * 31 + i);
  return vectors;
}

export const range = (first: number, count: number): BigInt64Array =>
  BigInt64Array.from({ length: count }, (_, i) => BigInt(first + i));

/** Where syncing, which these tests do thousands of times, costs nothing. */
const BASE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A folder that is gone when the test is over. */
export function temporaryFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(BASE, "kindred-embeddings-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export const segmentsOf = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".emb"))
    .toSorted()
    .map((name) => join(folder, name));

/** Ids in the order in which they are read. @throws when a vector is not that of its id */
export async function readAll(folder: string): Promise<bigint[]> {
  await using reader = await openEmbeddingCacheReader(folder);
  const ids: bigint[] = [];
  for await (const block of reader.blocks()) {
    if (!equal(block.vectors, vectorsOf(block.ids, reader.shape.dimensions))) {
      throw new Error(`a vector of ${block.ids.join(", ")} is not what was written`);
    }
    ids.push(...block.ids);
  }
  return ids;
}

const equal = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

/** A cache that was closed properly, with the ids 0 to `count - 1`. */
export async function writeCache(folder: string, count: number): Promise<void> {
  await using writer = await openEmbeddingCacheWriter(folder, SHAPE, SMALL);
  for (let first = 0; first < count; first += 2) {
    const ids = range(first, Math.min(2, count - first));
    await writer.append(ids, vectorsOf(ids));
  }
}

/** What a killed writer leaves, in one segment: `kept` records that a checkpoint covers, and whole blocks behind it. */
export async function writeKilled(folder: string, kept: number, behind: number): Promise<void> {
  using elsewhere = temporaryFolder();
  const { blockBytes } = SMALL;
  await using writer = await openEmbeddingCacheWriter(elsewhere.path, SHAPE, { blockBytes });
  await writer.append(range(0, kept), vectorsOf(range(0, kept)));
  await writer.checkpoint();
  await writer.append(range(kept, behind), vectorsOf(range(kept, behind)));
  // Records are written when more come than a block holds; these ones stay in memory.
  await writer.append(range(kept + behind, 1), vectorsOf(range(kept + behind, 1)));
  for (const path of segmentsOf(elsewhere.path)) cpSync(path, join(folder, basename(path)));
}
