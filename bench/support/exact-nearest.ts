/** What an exact computation, outside of any database, says of one query. */
export interface Truth {
  /** Share of the k nearest among the rows that pass, of those that were found; rows as near as the k-th count. */
  recallOf(found: readonly number[], k: number, passes?: (row: number) => boolean): number;
}

/** Vectors have length 1, and float32 dot products of a database differ in the last digits. */
const TOLERANCE = 1e-6;

/** Compares the query with every vector. @param vectors row after row, of length 1 as the query */
export function exactNearest(vectors: Float32Array, query: Float32Array): Truth {
  const dimensions = query.length;
  const rows = vectors.length / dimensions;
  const similarities = new Float64Array(rows);
  for (let row = 0; row < rows; row++) similarities[row] = dot(vectors, row * dimensions, query);
  return {
    recallOf(found, k, passes = () => true) {
      const wanted = largest(similarities, k, passes);
      const least = wanted.at(-1);
      if (least === undefined) return 1;
      const hits = found.slice(0, k).filter((row) => (similarities[row] as number) >= least - TOLERANCE);
      return hits.length / wanted.length;
    },
  };
}

/** Four sums at a time: one would have to wait for itself at each step. */
function dot(vectors: Float32Array, start: number, query: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < query.length; i += 4) {
    a += (vectors[start + i] as number) * (query[i] as number);
    b += (vectors[start + i + 1] as number) * (query[i + 1] as number);
    c += (vectors[start + i + 2] as number) * (query[i + 2] as number);
    d += (vectors[start + i + 3] as number) * (query[i + 3] as number);
  }
  return a + b + c + d;
}

/** The k largest values of rows that pass, falling. */
function largest(values: Float64Array, k: number, passes: (row: number) => boolean): number[] {
  const kept: number[] = [];
  for (const [row, value] of values.entries()) {
    if (kept.length === k && value <= (kept[k - 1] as number)) continue;
    if (!passes(row)) continue;
    const place = kept.findIndex((other) => other < value);
    kept.splice(place < 0 ? kept.length : place, 0, value);
    if (kept.length > k) kept.pop();
  }
  return kept;
}
