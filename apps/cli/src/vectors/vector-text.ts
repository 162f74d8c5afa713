import { ElementType } from "@kindred/contracts/vector-store/v1";
import { packVectors, unpackVectors } from "@kindred/rpc";
import { vectorJson } from "../embedding/vector-json.ts";

/** A vector as the contracts carry it. */
export interface PackedVector {
  /** Little-endian float32, or bits packed from the highest bit of the first byte. */
  data: Uint8Array;
  dimensions: number;
  isBits: boolean;
}

/** Bits as PostgreSQL writes them: "10110". */
export function packBits(bits: string): PackedVector {
  const data = new Uint8Array(Math.ceil(bits.length / 8));
  for (const [i, bit] of [...bits].entries()) if (bit === "1") data[i >> 3]! |= 0x80 >> (i & 7);
  return { data, dimensions: bits.length, isBits: true };
}

export function packFloats(values: readonly number[] | Float32Array): PackedVector {
  return {
    data: packVectors(values instanceof Float32Array ? values : new Float32Array(values)),
    dimensions: values.length,
    isBits: false,
  };
}

/**
 * A vector that was typed: numbers with commas or spaces between them, in brackets or not, or bits without anything between
 * them (at least two). @throws Error that says what would be right.
 */
export function parseVector(raw: string): PackedVector {
  const text = raw.trim();
  if (/^[01]{2,}$/.test(text)) return packBits(text);
  const inner = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const parts = inner.trim().split(/\s*,\s*|\s+/);
  const values = parts.map((part, i) => {
    const value = part === "" ? Number.NaN : Number(part);
    if (!isFloat32(value)) throw new Error(`Number ${i + 1} (${JSON.stringify(part)}) is no finite float32.`);
    return value;
  });
  return packFloats(values);
}

/** Whether it is still a finite number when it has 32 bits. */
export function isFloat32(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(Math.fround(value));
}

/** The values of a vector that came from a collection: bits of a byte more than they need have zeros at the end. */
export function bitsText(data: Uint8Array, dimensions: number): string {
  return Array.from(data, (byte) => byte.toString(2).padStart(8, "0"))
    .join("")
    .slice(0, dimensions);
}

/** A vector as JSON: an array of numbers that are read back as the same float32, or a text of bits. */
export function storedVectorJson(data: Uint8Array, shape: VectorShape): string {
  return shape.elementType === ElementType.BIT
    ? `"${bitsText(data, shape.dimensions)}"`
    : vectorJson(unpackVectors(data, shape.dimensions));
}

/** What is needed to read the vectors of a collection. */
export interface VectorShape {
  elementType: ElementType;
  dimensions: number;
}

const SHOWN_COMPONENTS = 5;

/** The beginning of a vector, for people. */
export function shortVector(data: Uint8Array, { elementType, dimensions }: VectorShape): string {
  if (elementType === ElementType.BIT) {
    const bits = bitsText(data, dimensions);
    return bits.length <= 32 ? bits : `${bits.slice(0, 32)} …`;
  }
  const values = unpackVectors(data, dimensions);
  const shown = Array.from(
    values.subarray(0, SHOWN_COMPONENTS),
    (value) => `${value < 0 ? "" : "+"}${value.toFixed(4)}`,
  );
  return `${shown.join(" ")}${values.length > SHOWN_COMPONENTS ? " …" : ""}`;
}
