import { KindredError } from "@kindred/errors";
import { unpackFloats, type PackedVector } from "../packed-vector.ts";

/** Batches of other sizes, and 16-bit floats, change the last digits; another text's vector is far from it. */
const LEAST_COSINE = 0.999;

/** @throws KindredError internal, naming the first item whose stored vector is not the one that its text has now */
export function requireSameVectors(
  stored: readonly { key: string; vector: PackedVector }[],
  expected: readonly PackedVector[],
): void {
  const differing = stored.find(
    ({ vector }, i) =>
      !(cosine(unpackFloats(vector), unpackFloats(expected[i] as PackedVector)) >= LEAST_COSINE),
  );
  if (!differing) return;
  throw new KindredError(
    "internal",
    `the new vector of ${JSON.stringify(differing.key)} is not that of its text: the embedding service gives other vectors now`,
  );
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [product, left, right] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    product += x * y;
    left += x * x;
    right += y * y;
  }
  return product / Math.sqrt(left * right);
}
