import { expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { delayBefore, isPassing } from "./passing-errors.ts";

test.each([
  ["unavailable", {}, true],
  ["aborted", {}, true],
  ["deadline-exceeded", {}, true],
  ["resource-exhausted", {}, true],
  ["resource-exhausted", { metadata: { provider: "x" }, retryAfterMs: 5 }, true],
  ["resource-exhausted", { metadata: { provider: "x" } }, false],
  ["invalid-argument", {}, false],
  ["internal", {}, false],
] as const)("%s %j passes: %s", (kind, options, passes) => {
  expect(isPassing(new KindredError(kind, "x", options))).toBe(passes);
});

test("what is no error of a service does not pass", () => {
  expect(isPassing(new Error("x"))).toBe(false);
});

test("delays double up to seconds, and are never shorter than asked for", () => {
  const away = new KindredError("unavailable", "x");
  for (let i = 0; i < 100; i++) {
    expect(delayBefore(0, away)).toBeGreaterThanOrEqual(100);
    expect(delayBefore(0, away)).toBeLessThanOrEqual(200);
    expect(delayBefore(1_000_000, away)).toBeGreaterThanOrEqual(2_000);
    expect(delayBefore(1_000_000, away)).toBeLessThanOrEqual(4_000);
  }
  expect(delayBefore(0, new KindredError("unavailable", "x", { retryAfterMs: 60_000 }))).toBe(60_000);
});
