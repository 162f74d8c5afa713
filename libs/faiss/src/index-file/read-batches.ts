import { invalidField } from "@kindred/errors";
import type { FaissBatch } from "./faiss-index.ts";
import { gather } from "./gather.ts";
import type { IndexSource } from "./index-source.ts";
import { locate, type RowOrder } from "./inverted-lists.ts";
import type { FlatStorage, ListStorage, ParsedIndex } from "./parse-index.ts";

/** Of vectors, where the caller names no number of rows. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** Codes from inverted lists that are read at once: the more, the fewer turns through the file. */
const WINDOW_BYTES = 32 * 1024 * 1024;

export interface BatchOptions {
  rows?: number;
  signal?: AbortSignal;
}

/** All rows of an index by position. `order`: that of its inverted lists, where it has such. */
export async function* readBatches(
  source: IndexSource,
  index: ParsedIndex,
  order: RowOrder | undefined,
  { rows: asked, signal }: BatchOptions,
): AsyncGenerator<FaissBatch> {
  const rows = asked ?? Math.max(1, Math.floor(BATCH_BYTES / (index.dimensions * 4)));
  if (!Number.isSafeInteger(rows) || rows < 1)
    throw invalidField("rows", `must be a whole number of 1 or more, is ${rows}`);
  const { storage, count, dimensions } = index;
  const window = storage.type === "flat" ? rows : rowsOfWindow(rows, storage.codec.bytes);
  for (let start = 0; start < count; start += window) {
    signal?.throwIfAborted();
    const size = Math.min(window, count - start);
    const vectors =
      storage.type === "flat"
        ? await readFlat(source, storage, { start, size })
        : await readListed(source, storage, order as RowOrder, { start, size, signal });
    for (let first = start; first < start + size; first += rows) {
      const some = Math.min(rows, start + size - first);
      const from = (first - start) * dimensions;
      yield {
        first,
        ids: await readIds(source, index, order, first, some),
        vectors: some === size ? vectors : vectors.slice(from, from + some * dimensions),
      };
    }
  }
}

function rowsOfWindow(rows: number, bytes: number): number {
  return rows * Math.max(1, Math.floor(WINDOW_BYTES / (rows * bytes)));
}

interface Span {
  start: number;
  size: number;
}

async function readFlat(
  source: IndexSource,
  { at, codec }: FlatStorage,
  { start, size }: Span,
): Promise<Float32Array> {
  const codes = new Uint8Array(size * codec.bytes);
  await source.read(codes, at + start * codec.bytes);
  return codec.decode(codes);
}

async function readListed(
  source: IndexSource,
  { lists, codec, centroids }: ListStorage,
  order: RowOrder,
  { start, size, signal }: Span & { signal: AbortSignal | undefined },
): Promise<Float32Array> {
  const codesAt = new Float64Array(size);
  const centroidsAt = new Float64Array(centroids ? size : 0);
  for (let i = 0; i < size; i++) {
    const { list, at } = locate(lists, order.rows[start + i] as number);
    codesAt[i] = at;
    if (centroids) centroidsAt[i] = centroids.at + list * centroids.codec.bytes;
  }
  const vectors = codec.decode(await gather(source, codesAt, codec.bytes, signal));
  if (centroids) {
    const added = centroids.codec.decode(await gather(source, centroidsAt, centroids.codec.bytes, signal));
    for (let i = 0; i < vectors.length; i++) vectors[i] = (vectors[i] as number) + (added[i] as number);
  }
  return vectors;
}

async function readIds(
  source: IndexSource,
  { idsAt }: ParsedIndex,
  order: RowOrder | undefined,
  first: number,
  count: number,
): Promise<BigInt64Array> {
  const ids = new BigInt64Array(count);
  if (idsAt !== undefined) await source.read(new Uint8Array(ids.buffer), idsAt + first * 8);
  else if (order?.ids)
    for (let i = 0; i < count; i++) ids[i] = order.ids[order.rows[first + i] as number] as bigint;
  else for (let i = 0; i < count; i++) ids[i] = BigInt(first + i);
  return ids;
}
