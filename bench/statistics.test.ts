import { describe, expect, test } from "@jest/globals";
import { median, percentile, theilSen } from "./statistics.ts";

test("the median is the middle value, or the mean of the middle two", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

test("percentiles are values that were measured, by nearest rank", () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  expect(percentile(values, 0.5)).toBe(100);
  expect(percentile(values, 0.99)).toBe(198);
  expect(percentile(values, 1)).toBe(200);
  expect(percentile([5], 0.5)).toBe(5);
});

describe("the slope by Theil and Sen", () => {
  test("is exact for a line", () => {
    const { slope, low, high } = theilSen(Array.from({ length: 20 }, (_, x) => [x, 3 * x + 1] as const));
    expect([slope, low, high]).toEqual([3, 3, 3]);
  });

  test("is not moved by wild points, and its interval covers it", () => {
    const points = Array.from({ length: 40 }, (_, x) => [x, x % 9 === 0 ? 1000 : 2 * x + (x % 3)] as const);
    const { slope, low, high } = theilSen(points);
    expect(slope).toBeCloseTo(2, 1);
    expect(low).toBeLessThanOrEqual(slope);
    expect(high).toBeGreaterThanOrEqual(slope);
    expect(high - low).toBeLessThan(0.5);
  });

  test("has zero in its interval for noise around a constant", () => {
    const { low, high } = theilSen(Array.from({ length: 50 }, (_, x) => [x, (x * 7919) % 13] as const));
    expect(low).toBeLessThan(0);
    expect(high).toBeGreaterThan(0);
  });
});
