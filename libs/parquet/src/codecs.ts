import { constants, brotliDecompressSync, gunzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { snappyUncompress, type Compressors as Decompressors } from "hyparquet";

/** With no room left in a buffer zlib begins another one. */
const ROOM = 1024;

/**
 * Pages are written as zstd frames that end with a checksum of their content: with it a changed byte is an error
 * instead of another value. hyparquet-writer has no checksums of its own.
 */
export const compressors = {
  ZSTD: (bytes: Uint8Array): Uint8Array =>
    zstdCompressSync(bytes, {
      chunkSize: bytes.byteLength + ROOM,
      params: {
        [constants.ZSTD_c_compressionLevel]: 3,
        [constants.ZSTD_c_checksumFlag]: 1,
      },
    }),
};

/** A copy of 64 bytes is the most that three bytes of snappy can say. */
const MAX_SNAPPY_RATIO = 22;

/** By Node's own zlib; snappy is hyparquet's. None gives out more than the page header promises. */
export const decompressors: Decompressors = {
  SNAPPY: (bytes, length) => {
    // Its output is allocated before anything is known of it.
    if (length > MAX_SNAPPY_RATIO * bytes.byteLength)
      throw new RangeError(`${bytes.byteLength} bytes are no ${length}`);
    const output = new Uint8Array(length);
    snappyUncompress(bytes, output);
    return output;
  },
  ZSTD: (bytes, length) => zstdDecompressSync(bytes, limits(length)),
  GZIP: (bytes, length) => gunzipSync(bytes, limits(length)),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, limits(length)),
};

/** One buffer for the whole output, where Node's default of 16 KiB would make sixty of a page and join them. */
function limits(length: number): { maxOutputLength: number; chunkSize: number } {
  return { maxOutputLength: Math.max(1, length), chunkSize: length + ROOM };
}

export const readableCodecs: readonly string[] = ["UNCOMPRESSED", ...Object.keys(decompressors)];
