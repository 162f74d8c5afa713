import type { BatchResult, TokenBatch } from "../../domain/inference.ts";

function part(batch: TokenBatch, from: number, to: number): TokenBatch {
  const lengths = batch.lengths.slice(from, to);
  const rows = to - from;
  // The texts of one half may be shorter than those of the other.
  const columns = lengths.reduce((longest, length) => Math.max(longest, length), 0);
  const ids = new Int32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const start = (from + row) * batch.columns;
    ids.set(batch.ids.subarray(start, start + columns), row * columns);
  }
  return { ids, lengths, rows, columns };
}

/** The first and the second half of a batch of two or more texts, each padded to its own longest. */
export function splitBatch(batch: TokenBatch): [TokenBatch, TokenBatch] {
  const middle = Math.ceil(batch.rows / 2);
  return [part(batch, 0, middle), part(batch, middle, batch.rows)];
}

/** The result of a batch from those of its halves. */
export function joinResults(first: BatchResult, second: BatchResult): BatchResult {
  const vectors = new Float32Array(first.vectors.length + second.vectors.length);
  vectors.set(first.vectors);
  vectors.set(second.vectors, first.vectors.length);
  return { vectors, inferenceMs: first.inferenceMs + second.inferenceMs };
}
