import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { affineCode, quantizeColumns } from "./quantize.ts";

const value = fc.float({ noNaN: true, min: -1000, max: 1000 });

describe("quantizeColumns", () => {
  test("is off by half a step of the column's own scale at most", () => {
    const matrix = fc
      .record({ rows: fc.integer({ min: 1, max: 6 }), columns: fc.integer({ min: 1, max: 6 }) })
      .chain(({ rows, columns }) =>
        fc.record({
          rows: fc.constant(rows),
          columns: fc.constant(columns),
          values: fc.array(value, { minLength: rows * columns, maxLength: rows * columns }),
        }),
      );
    fc.assert(
      fc.property(matrix, ({ rows, columns, values }) => {
        const weight = Float32Array.from(values);
        const { values: codes, scales } = quantizeColumns(weight, rows, columns);
        for (const [i, code] of codes.entries()) {
          const scale = scales[i % columns] as number;
          expect(Math.abs(code * scale - (weight[i] as number))).toBeLessThanOrEqual(scale * 0.5001);
        }
      }),
    );
  });

  test("the largest magnitude of each column becomes 127, and -128 is not used", () => {
    const { values, scales } = quantizeColumns(Float32Array.of(1, -20, 0.5, 10), 2, 2);
    expect([...values]).toEqual([127, -127, 64, 64]);
    expect(scales[0]).toBeCloseTo(1 / 127, 8);
    expect(scales[1]).toBeCloseTo(20 / 127, 8);
  });

  test("a column of zeros stays zero", () => {
    expect([...quantizeColumns(new Float32Array(3), 3, 1).values]).toEqual([0, 0, 0]);
  });
});

describe("affineCode", () => {
  test("holds zero exactly and both ends within a step", () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const { scale, zeroPoint } = affineCode(low, high);
        const decode = (code: number) => (code - zeroPoint) * scale;
        expect(Number.isInteger(zeroPoint) && zeroPoint >= 0 && zeroPoint <= 255).toBe(true);
        expect(decode(0)).toBeLessThanOrEqual(Math.min(low, 0) + scale);
        expect(decode(255)).toBeGreaterThanOrEqual(Math.max(high, 0) - scale);
      }),
    );
  });

  test("spans 0 to the top when nothing is negative", () => {
    expect(affineCode(1, 25.5)).toEqual({ scale: 0.1, zeroPoint: 0 });
  });
});
