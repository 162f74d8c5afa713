import { KindredError } from "@kindred/errors";
import { openEmbeddingCacheReader } from "./reader.ts";
import type { CacheShape, EmbeddingCacheReader } from "./types.ts";

/** The greatest id that a cache holds; undefined for one without records. @throws KindredError as openEmbeddingCacheReader() does */
export async function maxCachedId(folder: string): Promise<bigint | undefined> {
  await using reader = await openEmbeddingCacheReader(folder);
  return reader.ids.max;
}

export interface LoadedEmbeddings {
  shape: CacheShape;
  /** Ascending. */
  ids: BigInt64Array;
  /** Vector i is `vectors.subarray(i * dimensions, (i + 1) * dimensions)`. */
  vectors: Float32Array;
}

/**
 * Reads vectors into memory, in the order of their ids.
 * @param options.from ids below are left out
 * @param options.to ids above are left out
 * @throws KindredError as openEmbeddingCacheReader() and its blocks() do; resource-exhausted for more than memory holds
 */
export async function loadEmbeddings(
  folder: string,
  options: { from?: bigint; to?: bigint; signal?: AbortSignal } = {},
): Promise<LoadedEmbeddings> {
  await using reader = await openEmbeddingCacheReader(folder);
  const { shape } = reader;
  const { dimensions } = shape;
  const wanted = ranksOf(reader, options.from, options.to);
  const { ids, vectors } = allocate(wanted.count, dimensions);
  for await (const block of reader.blocks(options.signal ? { signal: options.signal } : {})) {
    block.ids.forEach((id, i) => {
      const rank = wanted.rank(id);
      if (rank === undefined) return;
      ids[rank] = id;
      vectors.set(block.vectors.subarray(i * dimensions, (i + 1) * dimensions), rank * dimensions);
    });
  }
  return { shape, ids, vectors };
}

function allocate(count: number, dimensions: number): { ids: BigInt64Array; vectors: Float32Array } {
  try {
    return { ids: new BigInt64Array(count), vectors: new Float32Array(count * dimensions) };
  } catch (error) {
    throw new KindredError(
      "resource-exhausted",
      `${count} vectors of ${dimensions} dimensions do not fit into memory: read them block by block`,
      { cause: error },
    );
  }
}

/** Which place in ascending order each id within the bounds has. */
function ranksOf(
  { ids }: EmbeddingCacheReader,
  from: bigint | undefined,
  to: bigint | undefined,
): { count: number; rank(id: bigint): number | undefined } {
  const firsts: bigint[] = [];
  const lasts: bigint[] = [];
  const before: number[] = [];
  let count = 0;
  for (const run of ids.runs()) {
    const first = from !== undefined && from > run.first ? from : run.first;
    const last = to !== undefined && to < run.last ? to : run.last;
    if (first > last) continue;
    firsts.push(first);
    lasts.push(last);
    before.push(count);
    count += Number(last - first) + 1;
  }
  const rank = (id: bigint): number | undefined => {
    let low = 0;
    let high = firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((firsts[middle] as bigint) <= id) low = middle + 1;
      else high = middle;
    }
    const at = low - 1;
    const first = firsts[at];
    const last = lasts[at];
    if (first === undefined || last === undefined || id > last) return undefined;
    return (before[at] as number) + Number(id - first);
  };
  return { count, rank };
}
