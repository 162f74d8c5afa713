import { VECTOR_BYTES, DIMENSIONS } from "../../domain/collection.ts";
import type { QueryVector } from "../../domain/search-query.ts";

// pgvector's binary form (vector_send, vector_recv): int16 dimensions, int16 zero, big-endian float32 values. `pg` sends a
// Buffer parameter as binary. Packed vectors become it by swapping bytes; no number is ever parsed.

const STORED_BYTES = 4 + VECTOR_BYTES;

/** A parameter for `$n::vector`. */
export function vectorParameter(vector: QueryVector): Buffer {
  if ("stored" in vector)
    return Buffer.from(vector.stored.buffer, vector.stored.byteOffset, vector.stored.byteLength);
  const buffer = Buffer.allocUnsafe(STORED_BYTES);
  writeVector(buffer, 0, vector.packed);
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
