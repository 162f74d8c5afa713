import { vectorBytes, type Collection } from "../../domain/collection.ts";
import type { PackedVector } from "../../domain/packed-vector.ts";
import { JSONB, toBinary, type BinaryType } from "./binary-types.ts";
import { columnSql } from "./sql.ts";

// Binary forms of pgvector's types (vector_recv, halfvec_recv): int16 dimensions, int16 zero, big-endian values; and of bits
// (varbit_recv): int32 length in bits, and the bytes. Packed vectors become the first and the last by copying bytes; no number is
// ever parsed.

type Shape = Pick<Collection, "elementType" | "dimensions">;
type Stored = Shape & { layout: Pick<Collection["layout"], "vector"> };

const HEADER_BYTES = 4;
const HALF_BYTES = 2;

/** The type of the column that a collection's vectors are in, and how packed vectors become its binary form. */
export function vectorType(collection: Stored): BinaryType<PackedVector> {
  switch (collection.layout.vector.storage) {
    case "vector":
      return singleType(collection);
    case "halfvec":
      return halfType(collection);
    case "bit":
      return bitType(collection);
    case "json":
      return jsonType(collection);
  }
}

/**
 * A vector in the column's binary form, for a parameter with the cast that vectorParameterType gives.
 * @param packed not changed, not kept
 */
export function vectorParameter(collection: Stored, packed: PackedVector): Buffer {
  return toBinary(vectorType(collection), packed);
}

/** Type of that parameter: `$1::vector`, `$1::halfvec`, `$1::bit varying` or `$1::jsonb`. */
export function vectorParameterType(collection: Stored): string {
  return vectorType(collection).name;
}

/** The column's value as bytes that packedFromColumn reads. */
export function vectorSelectSql({ layout }: Pick<Stored, "layout">): string {
  const column = columnSql("vectors", layout.vector.column);
  switch (layout.vector.storage) {
    case "vector":
      return `vector_send(${column})`;
    case "halfvec":
      return `halfvec_send(${column})`;
    case "bit":
      return `bit_send(${column})`;
    case "json":
      return `jsonb_send(${column})`;
  }
}

/**
 * The packed vector of a selected column, in memory of its own.
 * @throws RangeError when it is no vector of the collection's length.
 */
export function packedFromColumn(collection: Stored, bytes: Uint8Array): PackedVector {
  const { storage } = collection.layout.vector;
  if (storage === "json") return packedFromJson(collection, bytes);
  const values = Buffer.from(bytes.subarray(HEADER_BYTES));
  const expected = storage === "halfvec" ? HALF_BYTES * collection.dimensions : vectorBytes(collection);
  if (bytes.byteLength < HEADER_BYTES || values.byteLength !== expected)
    throw new RangeError(`no vector of ${collection.dimensions} dimensions: ${bytes.byteLength} bytes`);
  if (storage === "bit") return values;
  if (storage === "vector") return values.swap32();
  const packed = Buffer.allocUnsafe(vectorBytes(collection));
  const halves = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const target = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  for (let i = 0; i < collection.dimensions; i++) target.setFloat32(4 * i, halves.getFloat16(2 * i), true);
  return packed;
}

function packedFromJson({ dimensions }: Shape, bytes: Uint8Array): PackedVector {
  // The first byte is the version of jsonb's binary form.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.byteLength - 1).toString();
  const values = JSON.parse(text) as number[];
  if (!Array.isArray(values) || values.length !== dimensions)
    throw new RangeError(`no vector of ${dimensions} dimensions`);
  const packed = Buffer.allocUnsafe(4 * dimensions);
  for (const [i, value] of values.entries()) packed.writeFloatLE(value, 4 * i);
  return packed;
}

function singleType(collection: Shape): BinaryType<PackedVector> {
  const { dimensions } = collection;
  const bytes = vectorBytes(collection);
  return {
    name: "vector",
    oid: undefined,
    size: () => HEADER_BYTES + bytes,
    write: (packed, target, offset) => {
      requireLength(packed, bytes);
      writeDimensions(target, offset, dimensions);
      const start = offset + HEADER_BYTES;
      target.set(packed, start);
      target.subarray(start, start + bytes).swap32();
    },
  };
}

/** Numbers are rounded to the nearest half precision value, ties to even; those above its range become infinite, which it refuses. */
function halfType(collection: Shape): BinaryType<PackedVector> {
  const { dimensions } = collection;
  const bytes = vectorBytes(collection);
  return {
    name: "halfvec",
    oid: undefined,
    size: () => HEADER_BYTES + HALF_BYTES * dimensions,
    write: (packed, target, offset) => {
      requireLength(packed, bytes);
      writeDimensions(target, offset, dimensions);
      const source = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
      const view = new DataView(target.buffer, target.byteOffset + offset + HEADER_BYTES);
      for (let i = 0; i < dimensions; i++) view.setFloat16(HALF_BYTES * i, source.getFloat32(4 * i, true));
    },
  };
}

function bitType(collection: Shape): BinaryType<PackedVector> {
  const { dimensions } = collection;
  const bytes = vectorBytes(collection);
  return {
    // A bare `bit` would be one bit. Both have the same binary form.
    name: "bit varying",
    oid: 1562,
    size: () => HEADER_BYTES + bytes,
    write: (packed, target, offset) => {
      requireLength(packed, bytes);
      target.writeInt32BE(dimensions, offset);
      target.set(packed, offset + HEADER_BYTES);
    },
  };
}

/** An array of numbers. */
function jsonType(collection: Shape): BinaryType<PackedVector> {
  const bytes = vectorBytes(collection);
  if (collection.elementType === "bit") throw new TypeError("bits are not kept as JSON");
  const half = collection.elementType === "halfvec";
  // Whoever asks for a value's size writes it next.
  let last: { packed: PackedVector; text: string } | undefined;
  const toText = (packed: PackedVector): string => {
    if (last?.packed === packed) return last.text;
    requireLength(packed, bytes);
    const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    const values = Array.from({ length: collection.dimensions }, (_, i) => {
      const value = view.getFloat32(4 * i, true);
      return half ? Math.f16round(value) : value;
    });
    last = { packed, text: JSON.stringify(values) };
    return last.text;
  };
  return {
    name: JSONB.name,
    oid: JSONB.oid,
    size: (packed) => JSONB.size(toText(packed)),
    write: (packed, target, offset) => JSONB.write(toText(packed), target, offset),
  };
}

function writeDimensions(target: Buffer, offset: number, dimensions: number): void {
  target.writeUInt16BE(dimensions, offset);
  target.writeUInt16BE(0, offset + 2);
}

function requireLength(packed: PackedVector, bytes: number): void {
  if (packed.byteLength !== bytes) throw new RangeError(`not ${bytes} bytes: ${packed.byteLength}`);
}
