import { openFaissIndex, type FaissIndex } from "@kindred/faiss";

export interface Everything {
  index: Omit<FaissIndex, "batches">;
  ids: bigint[];
  vectors: Float32Array;
  /** Rows of each batch. */
  sizes: number[];
}

/** Opens an index and reads all of it. */
export async function readAll(path: string, options: { rows?: number } = {}): Promise<Everything> {
  await using index = await openFaissIndex(path);
  const ids: bigint[] = [];
  const numbers: Float32Array[] = [];
  const sizes: number[] = [];
  let next = 0;
  for await (const batch of index.batches(options)) {
    if (batch.first !== next) throw new Error(`a batch begins at ${batch.first}, not at ${next}`);
    next += batch.ids.length;
    sizes.push(batch.ids.length);
    ids.push(...batch.ids);
    numbers.push(batch.vectors);
  }
  const vectors = new Float32Array(next * index.dimensions);
  let at = 0;
  for (const part of numbers) {
    vectors.set(part, at);
    at += part.length;
  }
  return { index, ids, vectors, sizes };
}
