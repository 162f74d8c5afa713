import { vectorBytes, type Collection, type Metric } from "./collection.ts";

/** A vector as it travels: little-endian float32, or packed bits. It may be a view of a larger message, at any offset. */
export type PackedVector = Uint8Array;

/** Packed numbers, as they are computed with. */
export function unpackFloats(packed: PackedVector): Float32Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  return Float32Array.from({ length: packed.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** The reverse: each number becomes the nearest float32. */
export function packFloats(values: Float32Array | Float64Array): PackedVector {
  const packed = new Uint8Array(4 * values.length);
  const view = new DataView(packed.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(4 * i, value, true);
  return packed;
}

/**
 * Why these bytes are no vector that can be compared with the collection's, as the end of a sentence that begins with the
 * field's name; undefined when they are one. Zero vectors have no direction: their cosine distance is NaN.
 * @param metric by which they are compared
 */
export function vectorProblem(
  bytes: Uint8Array,
  collection: Pick<Collection, "elementType" | "dimensions">,
  metric: Metric,
): string | undefined {
  const { elementType, dimensions } = collection;
  const expected = vectorBytes(collection);
  if (bytes.byteLength !== expected) {
    const form =
      elementType === "bit" ? `${dimensions} packed bits` : `${dimensions} little-endian float32 values`;
    return `must hold ${form} (${expected} bytes), has ${bytes.byteLength} bytes`;
  }
  if (elementType === "bit") return bitsProblem(bytes, dimensions);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let squares = 0;
  let zeroInHalves = true;
  for (let i = 0; i < dimensions; i++) {
    const value = view.getFloat32(4 * i, true);
    if (!Number.isFinite(value)) return `must hold finite numbers only, value ${i} is ${value}`;
    squares += value * value;
    if (elementType === "halfvec") {
      const half = Math.f16round(value);
      if (!Number.isFinite(half)) return `must hold numbers up to 65504, value ${i} is ${value}`;
      zeroInHalves &&= half === 0;
    }
  }
  if (metric === "cosine") {
    // pgvector computes in single precision, in which the squares of tiny values vanish and those of huge ones overflow.
    if (Math.fround(squares) === 0) return "must not be the zero vector";
    if (elementType === "halfvec" && zeroInHalves) return "must not be the zero vector in half precision";
  }
  return Math.fround(squares) === Infinity ? "must have a norm below 1.8e19" : undefined;
}

function bitsProblem(bytes: Uint8Array, dimensions: number): string | undefined {
  const unused = 8 * bytes.byteLength - dimensions;
  const last = bytes.at(-1) ?? 0;
  return (last & ((1 << unused) - 1)) === 0
    ? undefined
    : `must have zeros in the last ${unused} bits, which are not used`;
}
