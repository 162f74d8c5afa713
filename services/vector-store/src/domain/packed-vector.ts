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
  const values = floatsAt(bytes);
  const squares = sumOfSquares(values);
  // What is not finite makes the sum so, too; there is no need to look at each number.
  const odd = Number.isFinite(squares) ? -1 : values.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) return `must hold finite numbers only, value ${odd} is ${values[odd]}`;
  let zeroInHalves = false;
  if (elementType === "halfvec") {
    const halves = values.map(Math.f16round);
    const large = halves.findIndex((half) => !Number.isFinite(half));
    if (large >= 0) return `must hold numbers up to 65504, value ${large} is ${values[large]}`;
    zeroInHalves = halves.every((half) => half === 0);
  }
  if (metric === "cosine") {
    // pgvector computes in single precision, in which the squares of tiny values vanish and those of huge ones overflow.
    if (Math.fround(squares) === 0) return "must not be the zero vector";
    if (zeroInHalves) return "must not be the zero vector in half precision";
  }
  return Math.fround(squares) === Infinity ? "must have a norm below 1.8e19" : undefined;
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Packed numbers to look at: the bytes themselves where their alignment and the machine's byte order allow it. */
function floatsAt(bytes: PackedVector): Float32Array {
  if (!LITTLE_ENDIAN) return unpackFloats(bytes);
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/** Four sums at a time: one would have to wait for itself at each step. */
function sumOfSquares(values: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += (values[i] as number) ** 2;
    b += (values[i + 1] as number) ** 2;
    c += (values[i + 2] as number) ** 2;
    d += (values[i + 3] as number) ** 2;
  }
  for (let i = whole; i < values.length; i++) a += (values[i] as number) ** 2;
  return a + b + c + d;
}

function bitsProblem(bytes: Uint8Array, dimensions: number): string | undefined {
  const unused = 8 * bytes.byteLength - dimensions;
  const last = bytes.at(-1) ?? 0;
  return (last & ((1 << unused) - 1)) === 0
    ? undefined
    : `must have zeros in the last ${unused} bits, which are not used`;
}
