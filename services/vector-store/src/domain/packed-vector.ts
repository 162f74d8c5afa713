import { DIMENSIONS, VECTOR_BYTES } from "./collection.ts";

/** A vector as it travels: little-endian float32. It may be a view of a larger message, at any offset. */
export type PackedVector = Uint8Array;

/**
 * Why these bytes are no vector that can be searched for, as the end of a sentence that begins with the field's
 * name; undefined when they are one. Zero vectors have no direction: their cosine distance is NaN.
 */
export function vectorProblem(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength !== VECTOR_BYTES) {
    return `must hold ${DIMENSIONS} little-endian float32 values (${VECTOR_BYTES} bytes), has ${bytes.byteLength} bytes`;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let squares = 0;
  for (let i = 0; i < DIMENSIONS; i++) {
    const value = view.getFloat32(4 * i, true);
    if (!Number.isFinite(value)) return `must hold finite numbers only, value ${i} is ${value}`;
    squares += value * value;
  }
  // pgvector computes in single precision, in which the squares of tiny values vanish and those of huge ones overflow.
  if (Math.fround(squares) === 0) return "must not be the zero vector";
  if (Math.fround(squares) === Infinity) return "must have a norm below 1.8e19";
  return undefined;
}
