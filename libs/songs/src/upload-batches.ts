import type { CachedBlock, CachePosition } from "@kindred/embedding-cache";

/** Vectors that are stored by one transaction, one at least. */
export interface UploadBatch {
  ids: BigInt64Array;
  /** Row after row. */
  vectors: Float32Array;
  /** The last end of a block in it, behind so many of its vectors; undefined where no block ends in it. */
  end: { position: CachePosition; rows: number } | undefined;
}

/** Blocks of the cache as batches of at most so many vectors, in order, with the position that each one reaches. */
export async function* inUploadBatches(
  blocks: AsyncIterable<CachedBlock>,
  dimensions: number,
  size: number,
): AsyncGenerator<UploadBatch> {
  let parts: CachedBlock[] = [];
  let rows = 0;
  let end: UploadBatch["end"];
  const flush = (): UploadBatch => {
    const batch = { ...joined(parts, rows, dimensions), end };
    parts = [];
    rows = 0;
    end = undefined;
    return batch;
  };
  for await (const block of blocks) {
    const count = block.ids.length;
    for (let first = 0; first < count;) {
      const taken = Math.min(count - first, size - rows);
      parts.push({
        ids: block.ids.subarray(first, first + taken),
        vectors: block.vectors.subarray(first * dimensions, (first + taken) * dimensions),
        position: block.position,
      });
      rows += taken;
      first += taken;
      if (first === count) end = { position: block.position, rows };
      if (rows === size) yield flush();
    }
  }
  if (rows > 0) yield flush();
}

function joined(
  parts: readonly CachedBlock[],
  rows: number,
  dimensions: number,
): Pick<UploadBatch, "ids" | "vectors"> {
  const ids = new BigInt64Array(rows);
  const vectors = new Float32Array(rows * dimensions);
  let at = 0;
  for (const part of parts) {
    ids.set(part.ids, at);
    vectors.set(part.vectors, at * dimensions);
    at += part.ids.length;
  }
  return { ids, vectors };
}
