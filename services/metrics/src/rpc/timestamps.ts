import type { Timestamp } from "@bufbuild/protobuf/wkt";

/** Whole microseconds since 1970; what is finer is cut off. */
export function microsOf({ seconds, nanos }: Timestamp): bigint {
  return seconds * 1_000_000n + BigInt(Math.floor(nanos / 1000));
}
