import { KindredError } from "@kindred/errors";

/** Largest finite float16. */
export const FLOAT16_MAX = 65_504;

/**
 * Rounds to the nearest float16, ties to even (ECMAScript's Float16Array does, from the full precision of its source). What is below
 * half of the smallest subnormal, 2^-25, becomes zero.
 * @param name for the error.
 * @throws KindredError failed-precondition when a value is beyond the range of float16.
 */
export function toFloat16(name: string, values: Float32Array): Float16Array<ArrayBuffer> {
  const rounded = Float16Array.from(values);
  const overflow = rounded.findIndex((value) => !Number.isFinite(value));
  if (overflow >= 0) {
    throw new KindredError(
      "failed-precondition",
      `${name} has the weight ${String(values[overflow])}, beyond ±${FLOAT16_MAX}: this model does not fit into fp16; take fp32`,
    );
  }
  return rounded;
}
