import { expect, test } from "@jest/globals";
import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { bytesText, countText, durationText, milliseconds } from "./format.ts";

test("time spans are as exact as they need to be", () => {
  expect(milliseconds(create(DurationSchema, { seconds: 1n, nanos: 250_000_000 }))).toBe(1250);
  expect(milliseconds(undefined)).toBeUndefined();
  expect([0.43, 9.96, 12.4, 1300].map(durationText)).toEqual(["0.4 ms", "10.0 ms", "12 ms", "1.3 s"]);
});

test("counts and sizes are for people", () => {
  expect(countText(25_014n)).toBe("25,014");
  expect([512n, 43_200_000n, 3n * 2n ** 30n].map(bytesText)).toEqual(["512 bytes", "41.2 MiB", "3.0 GiB"]);
});
