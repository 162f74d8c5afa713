import { create } from "@bufbuild/protobuf";
import { TimestampSchema, timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { startChecks, type FieldChecks } from "./field-checks.ts";
import { isValidTimestamp, timestampOf } from "./timestamps.ts";

function problems(check: (checks: FieldChecks) => void): string[] {
  const checks = startChecks();
  check(checks);
  return checks.violations.map(({ field, description }) => `${field} ${description}`);
}

test("lists have some elements, and not too many", () => {
  const of = (length: number) =>
    problems((checks) => checks.size("items", Array.from({ length }), { max: 2 }));
  expect([of(0), of(1), of(2), of(3)]).toEqual([
    ["items must be 1 to 2, are 0"],
    [],
    [],
    ["items must be 1 to 2, are 3"],
  ]);
});

test("ids are 1 or more; of too many none is looked at", () => {
  const of = (...ids: bigint[]) => problems((checks) => checks.ids("ids", ids, { max: 3 }));
  expect(of(1n, 2n ** 63n - 1n)).toEqual([]);
  expect(of(0n, 1n, -2n)).toEqual(["ids[0] must be at least 1, is 0", "ids[2] must be at least 1, is -2"]);
  expect(of(0n, 0n, 0n, 0n)).toEqual(["ids must be 1 to 3, are 4"]);
});

test("times are those of the years 1 to 9999, and not too far ahead", () => {
  const at = (seconds: bigint, nanos = 0): Timestamp => create(TimestampSchema, { seconds, nanos });
  const of = (time: Timestamp | undefined, limits?: { maxAheadHours: number }) =>
    problems((checks) => {
      const before = checks.violations.length;
      expect(checks.time("at", time, limits)).toBe(checks.violations.length === before);
    });
  const wrong = ["at must be a time of the years 1 to 9999 with 0 to 999999999 nanos"];
  expect(of(undefined)).toEqual([]);
  expect(of(at(-62_135_596_800n))).toEqual([]);
  expect(of(at(-62_135_596_801n))).toEqual(wrong);
  expect(of(at(253_402_300_799n, 999_999_999))).toEqual([]);
  expect(of(at(253_402_300_800n))).toEqual(wrong);
  expect(of(at(0n, -1))).toEqual(wrong);
  expect(of(at(0n, 1_000_000_000))).toEqual(wrong);
  expect(of(at(253_402_300_800n), { maxAheadHours: 24 })).toEqual(wrong);
  const hours = (n: number): Timestamp => timestampFromMs(Date.now() + n * 3_600_000);
  expect(of(hours(23), { maxAheadHours: 24 })).toEqual([]);
  expect(of(hours(25), { maxAheadHours: 24 })).toEqual(["at must not be more than 24 hours ahead"]);
});

test("microseconds become the time that they are, before 1970 too", () => {
  const range = { min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n };
  fc.assert(
    fc.property(fc.bigInt(range), (micros) => {
      const timestamp = timestampOf(micros);
      expect(isValidTimestamp(timestamp)).toBe(true);
      expect(timestamp.seconds * 1_000_000_000n + BigInt(timestamp.nanos)).toBe(micros * 1000n);
    }),
  );
  expect(timestampOf(range.max + 1n)).toEqual(timestampOf(range.max));
});
