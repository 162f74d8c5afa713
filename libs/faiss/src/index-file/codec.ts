/** How one row is kept in the file, and how it becomes numbers. */
export interface Codec {
  /** Bytes of a row. */
  readonly bytes: number;
  /** What was lost on the way in, or undefined where nothing was. */
  readonly approximate: string | undefined;
  /** Decodes whole rows: `codes` has rows x bytes, `into` rows x dimensions. */
  decode(codes: Uint8Array<ArrayBuffer>, into: Float32Array): void;
}

/** Numbers as they are: float32, little-endian. */
export function float32Codec(dimensions: number): Codec {
  return {
    bytes: dimensions * 4,
    approximate: undefined,
    decode: (codes, into) => new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(codes),
  };
}
