import { endianness } from "node:os";

/** Little-endian float32s in base64; undefined when it is no base64 of whole float32s. */
export function decodeFloats(text: string): Float32Array<ArrayBuffer> | undefined {
  // Buffer.from would skip what is no base64.
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const decoded = Buffer.from(text, "base64");
  if (decoded.length % Float32Array.BYTES_PER_ELEMENT !== 0) return undefined;
  if (endianness() === "BE") decoded.swap32();
  // A copy: small buffers lie in a pool, at any offset.
  return new Float32Array(Uint8Array.from(decoded).buffer);
}
