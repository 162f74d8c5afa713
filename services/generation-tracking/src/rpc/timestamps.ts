import type { Timestamp } from "@bufbuild/protobuf/wkt";

/**
 * Microseconds since 1970, rounded up: what was recorded at or after a time, or before it, is then the same set of
 * whole microseconds.
 */
export function microsOf({ seconds, nanos }: Timestamp): bigint {
  return seconds * 1_000_000n + BigInt(Math.ceil(nanos / 1000));
}
