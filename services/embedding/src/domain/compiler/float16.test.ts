import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { FLOAT16_MAX, toFloat16 } from "./float16.ts";

const round = (...values: number[]) => [...toFloat16("w", Float32Array.from(values))];

/** Every finite float16 there is, ascending. */
const ALL = Array.from(new Float16Array(Uint16Array.from({ length: 65_536 }, (_, bits) => bits).buffer))
  .filter(Number.isFinite)
  .toSorted((a, b) => a - b);

describe("toFloat16", () => {
  test("keeps what a float16 can be", () => {
    expect(round(0, 1, -2, 0.5, 65_504, 2 ** -14, 2 ** -24)).toEqual([
      0,
      1,
      -2,
      0.5,
      65_504,
      2 ** -14,
      2 ** -24,
    ]);
    expect(Object.is(round(-0)[0], -0)).toBe(true);
  });

  test("takes the even one of two that are as near", () => {
    // From 2,048 on float16 has even numbers only, from 4,096 on multiples of 4.
    expect(round(2049, 2051, 4098, 4102, -2049)).toEqual([2048, 2052, 4096, 4104, -2048]);
    expect(round(2 ** -25, 3 * 2 ** -25)).toEqual([0, 2 ** -23]);
  });

  test("takes the nearer one, however little nearer it is", () => {
    const [above, below] = [Math.fround(2049 + 2 ** -12), Math.fround(2049 - 2 ** -12)];
    expect(round(above, below)).toEqual([2050, 2048]);
    expect(round(2 ** -25 * (1 + 2 ** -20))).toEqual([2 ** -24]);
  });

  test("has no nearer neighbour", () => {
    const value = fc.float({ noNaN: true, min: -FLOAT16_MAX, max: FLOAT16_MAX });
    fc.assert(
      fc.property(value, (x) => {
        const rounded = round(x)[0] as number;
        const i = ALL.indexOf(rounded);
        for (const neighbour of [ALL[i - 1] ?? -Infinity, ALL[i + 1] ?? Infinity]) {
          if (neighbour !== rounded) {
            expect(Math.abs(rounded - x)).toBeLessThanOrEqual(Math.abs(neighbour - x));
          }
        }
      }),
    );
  });

  test("refuses what is beyond its range, naming it", () => {
    expect(round(65_519)).toEqual([65_504]);
    expect(() => toFloat16("0.output.weight", Float32Array.of(1, -65_520))).toThrow(
      expect.objectContaining({ kind: "failed-precondition" }),
    );
    expect(() => toFloat16("0.output.weight", Float32Array.of(1, -65_520))).toThrow(
      "0.output.weight has the weight -65520, beyond ±65504",
    );
  });
});
