/** How one row is kept in the file, and how it becomes numbers. */
export interface Codec {
  /** Bytes of a row. */
  readonly bytes: number;
  /** What was lost on the way in, or undefined where nothing was. */
  readonly approximate: string | undefined;
  /** Whole rows, rows x bytes from the beginning of their buffer on, as rows x dimensions. Takes the buffer over. */
  decode(codes: Uint8Array<ArrayBuffer>): Float32Array;
}

/** Numbers as they are: float32, little-endian, as every processor has them that Node runs on. */
export function float32Codec(dimensions: number): Codec {
  return {
    bytes: dimensions * 4,
    approximate: undefined,
    decode: (codes) => new Float32Array(codes.buffer),
  };
}
