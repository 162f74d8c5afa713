import type { Metric } from "./collection.ts";

/** Metrics of vectors of numbers. Bits are never compared here: without pgvector there are none. */
export type DenseMetric = Exclude<Metric, "hamming" | "jaccard">;

/** Vectors of one length, one after the other. */
export interface VectorRows {
  readonly values: Float32Array;
  /** How many. */
  readonly count: number;
  /** By row: see squaredNorms. */
  readonly norms: Float32Array;
}

/**
 * Distances from one vector to many, with pgvector's formulas in pgvector's precision (src/vector.c of 0.8: VectorInnerProduct,
 * VectorCosineSimilarity, VectorL2SquaredDistance, VectorL1Distance): terms are added up in single precision, and the rest is
 * computed in double precision. The order of additions is the compiler's. Here there are eight partial sums, and for cosine each
 * product is fused with its addition, which is what the build of pgvector in the database that Kindred brings along does on x86-64
 * with FMA: there, for lengths that leave less than 4 when divided by 8, results are the same to the last bit. Other builds differ
 * from it, and so from this, by some 1e-7 of the sum of the terms' sizes.
 *
 * Cosine: 1 - similarity, which is held between -1 and 1; NaN when either vector is zero. Inner product: its negative.
 */
export interface DistanceFunction {
  /**
   * Writes the distances of the rows from `first` up to, not including, `end` to `distances`, from its beginning on.
   * Computes some 1e9 terms a second; the caller keeps the ranges short where others wait.
   */
  (rows: VectorRows, first: number, end: number, distances: Float64Array): void;
}

export function distanceFrom(query: Float32Array, metric: DenseMetric): DistanceFunction {
  // Widened once, and not once a row.
  const from = Float64Array.from(query);
  const { length } = query;
  switch (metric) {
    case "inner-product":
      return ({ values }, first, end, distances) => {
        for (let row = first; row < end; row++)
          distances[row - first] = -innerProduct(from, values, row * length);
      };
    case "cosine": {
      const ownNorm = fusedProduct(from, query, 0);
      return ({ values, norms }, first, end, distances) => {
        for (let row = first; row < end; row++) {
          const product = fusedProduct(from, values, row * length);
          const similarity = product / Math.sqrt(ownNorm * (norms[row] as number));
          // Math.min and Math.max keep NaN.
          distances[row - first] = 1 - Math.max(-1, Math.min(1, similarity));
        }
      };
    }
    case "l2":
      return ({ values }, first, end, distances) => {
        for (let row = first; row < end; row++)
          distances[row - first] = Math.sqrt(squaredDistance(from, values, row * length));
      };
    case "l1":
      return ({ values }, first, end, distances) => {
        for (let row = first; row < end; row++)
          distances[row - first] = taxicabDistance(from, values, row * length);
      };
  }
}

/** Each row's inner product with itself, which cosine distances divide by. Written to `norms` from `first` up to `end`. */
export function squaredNorms(
  values: Float32Array,
  length: number,
  { first, end }: { first: number; end: number },
  norms: Float32Array,
): void {
  for (let row = first; row < end; row++) {
    const own = Float64Array.from(values.subarray(row * length, (row + 1) * length));
    norms[row] = fusedProduct(own, values, row * length);
  }
}

const single = Math.fround;

// The four loops are written out: a function for the term would cost more than the term.

function innerProduct(a: Float64Array, b: Float32Array, at: number): number {
  const { length } = a;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let s5 = 0;
  let s6 = 0;
  let s7 = 0;
  let i = 0;
  let j = at;
  for (; i + 8 <= length; i += 8, j += 8) {
    s0 = single(s0 + single((a[i] as number) * (b[j] as number)));
    s1 = single(s1 + single((a[i + 1] as number) * (b[j + 1] as number)));
    s2 = single(s2 + single((a[i + 2] as number) * (b[j + 2] as number)));
    s3 = single(s3 + single((a[i + 3] as number) * (b[j + 3] as number)));
    s4 = single(s4 + single((a[i + 4] as number) * (b[j + 4] as number)));
    s5 = single(s5 + single((a[i + 5] as number) * (b[j + 5] as number)));
    s6 = single(s6 + single((a[i + 6] as number) * (b[j + 6] as number)));
    s7 = single(s7 + single((a[i + 7] as number) * (b[j + 7] as number)));
  }
  s0 = single(s0 + s4);
  s1 = single(s1 + s5);
  s2 = single(s2 + s6);
  s3 = single(s3 + s7);
  if (i + 4 <= length) {
    s0 = single(s0 + single((a[i] as number) * (b[j] as number)));
    s1 = single(s1 + single((a[i + 1] as number) * (b[j + 1] as number)));
    s2 = single(s2 + single((a[i + 2] as number) * (b[j + 2] as number)));
    s3 = single(s3 + single((a[i + 3] as number) * (b[j + 3] as number)));
    i += 4;
    j += 4;
  }
  let sum = single(single(s0 + s2) + single(s1 + s3));
  for (; i < length; i++, j++) sum = single(sum + single((a[i] as number) * (b[j] as number)));
  return sum;
}

/** As innerProduct, with terms that are not rounded before they are added. */
function fusedProduct(a: Float64Array, b: Float32Array, at: number): number {
  const { length } = a;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let s5 = 0;
  let s6 = 0;
  let s7 = 0;
  let i = 0;
  let j = at;
  for (; i + 8 <= length; i += 8, j += 8) {
    s0 = single(s0 + (a[i] as number) * (b[j] as number));
    s1 = single(s1 + (a[i + 1] as number) * (b[j + 1] as number));
    s2 = single(s2 + (a[i + 2] as number) * (b[j + 2] as number));
    s3 = single(s3 + (a[i + 3] as number) * (b[j + 3] as number));
    s4 = single(s4 + (a[i + 4] as number) * (b[j + 4] as number));
    s5 = single(s5 + (a[i + 5] as number) * (b[j + 5] as number));
    s6 = single(s6 + (a[i + 6] as number) * (b[j + 6] as number));
    s7 = single(s7 + (a[i + 7] as number) * (b[j + 7] as number));
  }
  s0 = single(s0 + s4);
  s1 = single(s1 + s5);
  s2 = single(s2 + s6);
  s3 = single(s3 + s7);
  if (i + 4 <= length) {
    s0 = single(s0 + (a[i] as number) * (b[j] as number));
    s1 = single(s1 + (a[i + 1] as number) * (b[j + 1] as number));
    s2 = single(s2 + (a[i + 2] as number) * (b[j + 2] as number));
    s3 = single(s3 + (a[i + 3] as number) * (b[j + 3] as number));
    i += 4;
    j += 4;
  }
  let sum = single(single(s0 + s2) + single(s1 + s3));
  for (; i < length; i++, j++) sum = single(sum + (a[i] as number) * (b[j] as number));
  return sum;
}

function squaredDistance(a: Float64Array, b: Float32Array, at: number): number {
  const { length } = a;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let s5 = 0;
  let s6 = 0;
  let s7 = 0;
  let i = 0;
  let j = at;
  for (; i + 8 <= length; i += 8, j += 8) {
    s0 = single(s0 + square(single((a[i] as number) - (b[j] as number))));
    s1 = single(s1 + square(single((a[i + 1] as number) - (b[j + 1] as number))));
    s2 = single(s2 + square(single((a[i + 2] as number) - (b[j + 2] as number))));
    s3 = single(s3 + square(single((a[i + 3] as number) - (b[j + 3] as number))));
    s4 = single(s4 + square(single((a[i + 4] as number) - (b[j + 4] as number))));
    s5 = single(s5 + square(single((a[i + 5] as number) - (b[j + 5] as number))));
    s6 = single(s6 + square(single((a[i + 6] as number) - (b[j + 6] as number))));
    s7 = single(s7 + square(single((a[i + 7] as number) - (b[j + 7] as number))));
  }
  s0 = single(s0 + s4);
  s1 = single(s1 + s5);
  s2 = single(s2 + s6);
  s3 = single(s3 + s7);
  if (i + 4 <= length) {
    s0 = single(s0 + square(single((a[i] as number) - (b[j] as number))));
    s1 = single(s1 + square(single((a[i + 1] as number) - (b[j + 1] as number))));
    s2 = single(s2 + square(single((a[i + 2] as number) - (b[j + 2] as number))));
    s3 = single(s3 + square(single((a[i + 3] as number) - (b[j + 3] as number))));
    i += 4;
    j += 4;
  }
  let sum = single(single(s0 + s2) + single(s1 + s3));
  for (; i < length; i++, j++) sum = single(sum + square(single((a[i] as number) - (b[j] as number))));
  return sum;
}

/** Of a single, as a single. */
function square(x: number): number {
  return single(x * x);
}

function taxicabDistance(a: Float64Array, b: Float32Array, at: number): number {
  const { length } = a;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let s5 = 0;
  let s6 = 0;
  let s7 = 0;
  let i = 0;
  let j = at;
  for (; i + 8 <= length; i += 8, j += 8) {
    s0 = single(s0 + Math.abs(single((a[i] as number) - (b[j] as number))));
    s1 = single(s1 + Math.abs(single((a[i + 1] as number) - (b[j + 1] as number))));
    s2 = single(s2 + Math.abs(single((a[i + 2] as number) - (b[j + 2] as number))));
    s3 = single(s3 + Math.abs(single((a[i + 3] as number) - (b[j + 3] as number))));
    s4 = single(s4 + Math.abs(single((a[i + 4] as number) - (b[j + 4] as number))));
    s5 = single(s5 + Math.abs(single((a[i + 5] as number) - (b[j + 5] as number))));
    s6 = single(s6 + Math.abs(single((a[i + 6] as number) - (b[j + 6] as number))));
    s7 = single(s7 + Math.abs(single((a[i + 7] as number) - (b[j + 7] as number))));
  }
  s0 = single(s0 + s4);
  s1 = single(s1 + s5);
  s2 = single(s2 + s6);
  s3 = single(s3 + s7);
  if (i + 4 <= length) {
    s0 = single(s0 + Math.abs(single((a[i] as number) - (b[j] as number))));
    s1 = single(s1 + Math.abs(single((a[i + 1] as number) - (b[j + 1] as number))));
    s2 = single(s2 + Math.abs(single((a[i + 2] as number) - (b[j + 2] as number))));
    s3 = single(s3 + Math.abs(single((a[i + 3] as number) - (b[j + 3] as number))));
    i += 4;
    j += 4;
  }
  let sum = single(single(s0 + s2) + single(s1 + s3));
  for (; i < length; i++, j++) sum = single(sum + Math.abs(single((a[i] as number) - (b[j] as number))));
  return sum;
}
