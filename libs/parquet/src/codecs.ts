import { constants, brotliDecompressSync, gunzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Compressors as Decompressors } from "hyparquet";

/**
 * Pages are written as zstd frames that end with a checksum of their content: with it a changed byte is an error
 * instead of another value. hyparquet-writer has no checksums of its own.
 */
export const compressors = {
  ZSTD: (bytes: Uint8Array): Uint8Array =>
    zstdCompressSync(bytes, {
      params: {
        [constants.ZSTD_c_compressionLevel]: 3,
        [constants.ZSTD_c_checksumFlag]: 1,
      },
    }),
};

/** By Node's own zlib; snappy is hyparquet's. None gives out more than the page header promises. */
export const decompressors: Decompressors = {
  ZSTD: (bytes, length) => zstdDecompressSync(bytes, { maxOutputLength: atLeastOne(length) }),
  GZIP: (bytes, length) => gunzipSync(bytes, { maxOutputLength: atLeastOne(length) }),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, { maxOutputLength: atLeastOne(length) }),
};

const atLeastOne = (length: number): number => Math.max(1, length);

export const readableCodecs: readonly string[] = ["UNCOMPRESSED", "SNAPPY", ...Object.keys(decompressors)];
