import { create } from "@bufbuild/protobuf";
import { DurationSchema, type Duration } from "@bufbuild/protobuf/wkt";

/** Whole microseconds, without what is left; undefined for what is no duration: 10,000 years at most, nanos of the seconds' sign. */
export function microsOfDuration({ seconds, nanos }: Duration): bigint | undefined {
  const valid =
    seconds >= -315_576_000_000n &&
    seconds <= 315_576_000_000n &&
    Math.abs(nanos) <= 999_999_999 &&
    (nanos === 0 || seconds === 0n || seconds > 0n === nanos > 0);
  return valid ? seconds * 1_000_000n + BigInt(Math.trunc(nanos / 1000)) : undefined;
}

/** Of microseconds, not negative. */
export function durationOf(micros: bigint): Duration {
  return create(DurationSchema, {
    seconds: micros / 1_000_000n,
    nanos: Number(micros % 1_000_000n) * 1000,
  });
}
