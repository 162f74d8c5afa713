import { create } from "@bufbuild/protobuf";
import { TimestampSchema, type Timestamp } from "@bufbuild/protobuf/wkt";

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the range of google.protobuf.Timestamp. */
const [FIRST_SECOND, LAST_SECOND] = [-62_135_596_800n, 253_402_300_799n];

const END_MICROS = (LAST_SECOND + 1n) * 1_000_000n;

export function isValidTimestamp({ seconds, nanos }: Timestamp): boolean {
  return seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos <= 999_999_999;
}

/**
 * @param given microseconds since 1970, which is what PostgreSQL keeps; the last moment that there is for one beyond it: the hour of 9999 that
 *   ends with the year ends there
 */
export function timestampOf(given: bigint): Timestamp {
  const micros = given < END_MICROS ? given : END_MICROS - 1n;
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  return create(TimestampSchema, { seconds: (micros - rest) / 1_000_000n, nanos: Number(rest) * 1000 });
}
