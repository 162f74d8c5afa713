import { expect, test } from "@jest/globals";
import { evaluateFilter } from "./evaluate-filter.ts";
import type { Filter, Scalar } from "./filter.ts";

const fields = JSON.parse(`{
  "text": "naïve",
  "high": "\\ud83d\\ude00",
  "number": 2.5,
  "zero": -0,
  "large": 9007199254740992,
  "written": 1152921504606847000,
  "yes": true,
  "nothing": null,
  "list": [1, "a", null, [7], {"in": 8}],
  "object": {"in": {"0": "deep", "a.b": 1}},
  "__proto__": "own"
}`);
const holds = (filter: Filter): boolean => evaluateFilter(filter, fields);
const eq = (value: Scalar, ...path: string[]): Filter => ({ kind: "eq", path, value });

test.each<[boolean, Scalar, ...string[]]>([
  [true, "naïve", "text"],
  // Letters are compared as they are written.
  [false, "nai\u0308ve", "text"],
  [true, 2.5, "number"],
  [false, "2.5", "number"],
  [true, 0n, "zero"],
  [true, 0, "zero"],
  [true, true, "yes"],
  [false, 1, "yes"],
  [true, 2n ** 53n, "large"],
  [false, 2n ** 53n + 1n, "large"],
  // The double is 2^60; what is written is not.
  [true, 2 ** 60, "written"],
  [true, 1152921504606847000n, "written"],
  [false, 2n ** 60n, "written"],
  [true, "deep", "object", "in", "0"],
  [true, 1, "object", "in", "a.b"],
  [false, 1, "list", "0"],
  [false, 8, "list", "in"],
  [false, 1, "list"],
  [false, 3, "list", "length"],
  [true, "own", "__proto__"],
  [false, "x", "missing", "further"],
])("%s: equal to %j", (expected, value, ...path) => {
  expect(holds(eq(value, ...path))).toBe(expected);
  expect(holds({ kind: "in", path, values: ["other", value] })).toBe(expected);
  expect(holds({ kind: "not", filter: eq(value, ...path) })).toBe(!expected);
});

test("what is inherited is not there", () => {
  expect(holds({ kind: "exists", path: ["toString"] })).toBe(false);
  expect(evaluateFilter({ kind: "exists", path: ["__proto__"] }, {})).toBe(false);
});

test("null is as good as missing", () => {
  expect(holds({ kind: "exists", path: ["nothing"] })).toBe(false);
  expect(holds({ kind: "exists", path: ["nothing", "further"] })).toBe(false);
  expect(holds({ kind: "exists", path: ["list"] })).toBe(true);
});

const range = (path: string, lower?: Scalar, upper?: Scalar, inclusive = false): Filter => ({
  kind: "range",
  path: [path],
  lower: lower === undefined ? undefined : { value: lower, inclusive },
  upper: upper === undefined ? undefined : { value: upper, inclusive },
});

test.each<[boolean, Filter]>([
  [true, range("number", 2n, 3)],
  [false, range("number", 2.5)],
  [true, range("number", 2.5, 2.5, true)],
  [false, range("number", "2")],
  [false, range("yes", 0)],
  [false, range("list", 0)],
  [true, range("large", undefined, 2n ** 53n + 1n)],
  [false, range("large", 2n ** 53n)],
  [true, range("written", 2n ** 60n)],
  [true, range("text", "n", "o")],
  [false, range("missing", undefined, "o")],
  // U+1F600 is above U+E000, though its first half is below.
  [true, range("high", "\ue000")],
])("%s: %j", (expected, filter) => {
  expect(holds(filter)).toBe(expected);
});

test("a list has its own elements only", () => {
  const has = (value: Scalar, ...path: string[]): boolean => holds({ kind: "contains", path, value });
  expect(has(1n, "list")).toBe(true);
  expect(has("a", "list")).toBe(true);
  expect(has(7, "list")).toBe(false);
  expect(has("naïve", "text")).toBe(false);
});

test("prefixes are of texts", () => {
  const begins = (prefix: string, ...path: string[]): boolean => holds({ kind: "prefix", path, prefix });
  expect(begins("na", "text")).toBe(true);
  expect(begins("naive", "text")).toBe(false);
  expect(begins("2", "number")).toBe(false);
});

test("all of none holds, any of none does not", () => {
  expect(holds({ kind: "and", filters: [] })).toBe(true);
  expect(holds({ kind: "or", filters: [] })).toBe(false);
  expect(holds({ kind: "in", path: ["text"], values: [] })).toBe(false);
  expect(holds({ kind: "and", filters: [eq(true, "yes"), eq(2.5, "number")] })).toBe(true);
  expect(holds({ kind: "or", filters: [eq(false, "yes"), eq(2.5, "number")] })).toBe(true);
  expect(holds({ kind: "and", filters: [eq(false, "yes"), eq(2.5, "number")] })).toBe(false);
});
