import { VECTOR_BYTES, DIMENSIONS } from "../../domain/collection.ts";
import type { QueryVector } from "../../domain/search-query.ts";

// pgvector's binary form (vector_send, vector_recv): int16 dimensions, int16 zero, big-endian float32 values. `pg` sends a
// Buffer parameter as binary. Packed vectors become it by swapping bytes; no number is ever parsed.

const STORED_BYTES = 4 + VECTOR_BYTES;
/** int32 number of dimensions (1), int32 flags, oid of the elements, int32 length, int32 lower bound: array_recv(). */
const ARRAY_HEADER_BYTES = 20;

/** A parameter for `$n::vector`. */
export function vectorParameter(vector: QueryVector): Buffer {
  if ("stored" in vector)
    return Buffer.from(vector.stored.buffer, vector.stored.byteOffset, vector.stored.byteLength);
  const buffer = Buffer.allocUnsafe(STORED_BYTES);
  writeVector(buffer, 0, vector.packed);
  return buffer;
}

/**
 * A parameter for `$n::vector[]`.
 * @param vectors packed, of the catalogue's dimensions
 * @param vectorOid the type's oid in this database
 */
export function vectorArrayParameter(vectors: readonly Uint8Array[], vectorOid: number): Buffer {
  const buffer = Buffer.allocUnsafe(ARRAY_HEADER_BYTES + vectors.length * (4 + STORED_BYTES));
  let offset = 0;
  for (const field of [vectors.length === 0 ? 0 : 1, 0]) offset = buffer.writeInt32BE(field, offset);
  offset = buffer.writeUInt32BE(vectorOid, offset);
  if (vectors.length === 0) return buffer.subarray(0, offset);
  for (const field of [vectors.length, 1]) offset = buffer.writeInt32BE(field, offset);
  for (const vector of vectors) {
    offset = buffer.writeInt32BE(STORED_BYTES, offset);
    offset = writeVector(buffer, offset, vector);
  }
  return buffer;
}

function writeVector(target: Buffer, offset: number, packed: Uint8Array): number {
  if (packed.byteLength !== VECTOR_BYTES)
    throw new RangeError(`not ${VECTOR_BYTES} bytes: ${packed.byteLength}`);
  const start = target.writeUInt16BE(0, target.writeUInt16BE(DIMENSIONS, offset));
  target.set(packed, start);
  target.subarray(start, start + VECTOR_BYTES).swap32();
  return start + VECTOR_BYTES;
}
