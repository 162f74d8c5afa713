import { create } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { timestampOf } from "@kindred/rpc";
import * as fc from "fast-check";
import { microsOf } from "./timestamps.ts";

const at = (nanos: number): bigint => microsOf(create(TimestampSchema, { seconds: 1n, nanos }));

test("microseconds make the way there and back, before 1970 too", () => {
  const range = { min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n };
  fc.assert(fc.property(fc.bigInt(range), (micros) => expect(microsOf(timestampOf(micros))).toBe(micros)));
});

test("parts of a microsecond are rounded up", () => {
  expect([at(0), at(1), at(1000), at(1001), at(999_999_999)]).toEqual([
    1_000_000n,
    1_000_001n,
    1_000_001n,
    1_000_002n,
    2_000_000n,
  ]);
});
