import { invalidField } from "@kindred/errors";

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Values as the contracts' packed vectors: little-endian float32. Shares memory with `values` where it can. */
export function packVectors(values: Float32Array): Uint8Array {
  if (LITTLE_ENDIAN) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const swapped = Buffer.from(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return swapped.swap32();
}

/**
 * Packed vectors as values, row after row. Shares memory with `bytes` where their alignment allows it: decoded messages
 * are views at any offset, which Float32Array refuses.
 * @throws KindredError invalid-argument about `field` when the length is no multiple of 4 x dimensions.
 */
export function unpackVectors(bytes: Uint8Array, dimensions: number, field = "vectors"): Float32Array {
  const row = dimensions * Float32Array.BYTES_PER_ELEMENT;
  if (bytes.byteLength % row !== 0) {
    throw invalidField(
      field,
      `must hold little-endian float32 vectors of ${dimensions} dimensions (${row} bytes each), has ${bytes.byteLength} bytes`,
    );
  }
  if (!LITTLE_ENDIAN) {
    const copy = Buffer.from(bytes);
    copy.swap32();
    return new Float32Array(copy.buffer.slice(copy.byteOffset, copy.byteOffset + copy.byteLength));
  }
  if (bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0) {
    return new Float32Array(
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength / Float32Array.BYTES_PER_ELEMENT,
    );
  }
  return new Float32Array(bytes.slice().buffer);
}
