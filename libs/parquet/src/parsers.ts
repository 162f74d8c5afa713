import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";

// Unlike hyparquet's own it keeps a byte order mark and refuses bytes that are no UTF-8 instead of changing them.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && decoder.decode(bytes);

/** Milliseconds since 1970 of finer units, rounded down on both sides of it. */
const dateOf = (units: bigint, perMillisecond: bigint): Date => {
  const rest = ((units % perMillisecond) + perMillisecond) % perMillisecond;
  return new Date(Number((units - rest) / perMillisecond));
};

export const parsers = {
  ...DEFAULT_PARSERS,
  stringFromBytes: text,
  jsonFromBytes: (bytes: Uint8Array | undefined): unknown =>
    bytes && (JSON.parse(decoder.decode(bytes)) as unknown),
  timestampFromMicroseconds: (micros: bigint): Date => dateOf(micros, 1000n),
  timestampFromNanoseconds: (nanos: bigint): Date => dateOf(nanos, 1_000_000n),
};
