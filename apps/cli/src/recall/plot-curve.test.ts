import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { plotCurve } from "./plot-curve.ts";

const POINTS = [
  { effort: 10, recall: 0.8 },
  { effort: 20, recall: 0.9 },
  { effort: 40, recall: 0.95 },
  { effort: 80, recall: 0.99 },
  { effort: 1000, recall: 1 },
];

test("recall grows upwards, effort to the right, and the target is marked", () => {
  expect(plotCurve(POINTS, 0.95)).toEqual([
    " 1.000 ┤                       ●     ●",
    " 0.975 ┤",
    " 0.950 ┼┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄●┄┄┄┄┄┄┄┄┄┄┄┄ target",
    " 0.925 ┤",
    " 0.900 ┤           ●",
    " 0.875 ┤",
    " 0.850 ┤",
    " 0.825 ┤",
    " 0.800 ┤     ●",
    "       └──────────────────────────────",
    "            10    20    40    80  1000  effort",
  ]);
});

describe("any curve", () => {
  const curve = fc.array(
    fc.record({
      effort: fc.integer({ min: 1, max: 5_000 }),
      recall: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    {
      minLength: 1,
      maxLength: 12,
    },
  );

  test("has each point once, and one target", () => {
    fc.assert(
      fc.property(curve, fc.double({ min: 0.5, max: 1, noNaN: true }), (points, target) => {
        const lines = plotCurve(points, target);
        expect(lines.join("").match(/●/g)).toHaveLength(points.length);
        expect(lines.filter((line) => line.endsWith("target"))).toHaveLength(1);
        expect(lines.every((line) => line === line.trimEnd())).toBe(true);
      }),
    );
  });
});

test("no points, no plot", () => {
  expect(plotCurve([], 0.9)).toEqual([]);
});
