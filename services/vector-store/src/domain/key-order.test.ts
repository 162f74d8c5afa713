import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { compareKeys, compareCodePoints } from "./key-order.ts";

test("texts are ordered as their UTF-8 bytes are", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
      expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
  expect(compareCodePoints("\u{10000}", "\u{e000}")).toBeGreaterThan(0);
});

test("numbers are ordered by value, beyond 2^53 too", () => {
  expect(["10", "9", "-1", "9007199254740993", "9007199254740992"].toSorted(compareKeys("bigint"))).toEqual([
    "-1",
    "9",
    "10",
    "9007199254740992",
    "9007199254740993",
  ]);
});
