/** Cosines of the rows of two lists of vectors, row after row. @throws Error when they are not of one size. */
export function cosines(a: Float32Array, b: Float32Array, dimensions: number): number[] {
  if (a.length !== b.length || a.length % dimensions !== 0) {
    throw new Error(`${a.length} and ${b.length} floats are not rows of ${dimensions} each`);
  }
  return Array.from({ length: a.length / dimensions }, (_, row) => {
    let [dot, squareA, squareB] = [0, 0, 0];
    for (let i = row * dimensions; i < (row + 1) * dimensions; i++) {
      const [x, y] = [a[i] as number, b[i] as number];
      dot += x * y;
      squareA += x * x;
      squareB += y * y;
    }
    return dot / Math.sqrt(squareA * squareB);
  });
}
