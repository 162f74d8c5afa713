/**
 * The first `to` components of vectors of `from` components each, scaled to length 1 again (Kusupati et al. 2022, arXiv:2205.13147):
 * of use only for models that were trained for it. A vector of zeros stays one.
 */
export function shortenVectors(vectors: Float32Array, from: number, to: number): Float32Array<ArrayBuffer> {
  const rows = vectors.length / from;
  const result = new Float32Array(rows * to);
  for (let row = 0; row < rows; row++) {
    const head = vectors.subarray(row * from, row * from + to);
    const length = Math.sqrt(head.reduce((sum, value) => sum + value * value, 0)) || 1;
    for (const [i, value] of head.entries()) result[row * to + i] = value / length;
  }
  return result;
}
