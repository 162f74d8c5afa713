import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { isotonic } from "./isotonic.ts";

const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 });

test("the result never falls, keeps the sum, and leaves alone what does not fall", () => {
  fc.assert(
    fc.property(values, (sequence) => {
      const smoothed = isotonic(sequence);
      expect(smoothed).toHaveLength(sequence.length);
      for (const [i, value] of smoothed.entries())
        if (i > 0) expect(value).toBeGreaterThanOrEqual((smoothed[i - 1] as number) - 1e-12);
      const sum = (of: readonly number[]): number => of.reduce((total, value) => total + value, 0);
      expect(sum(smoothed)).toBeCloseTo(sum(sequence), 9);
      const sorted = sequence.toSorted((a, b) => a - b);
      expect(isotonic(sorted)).toEqual(sorted);
    }),
  );
});

test("no other sequence that never falls is nearer", () => {
  const distance = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0);
  fc.assert(
    fc.property(values, values, (sequence, other) => {
      const rising = Array.from({ length: sequence.length }, (_, i) => other[i] ?? 1).toSorted(
        (a, b) => a - b,
      );
      expect(distance(isotonic(sequence), sequence)).toBeLessThanOrEqual(distance(rising, sequence) + 1e-9);
    }),
  );
});

test("neighbours in the wrong order become their average", () => {
  expect(isotonic([0.5, 0.9, 0.7, 0.95])).toEqual([0.5, 0.8, 0.8, 0.95]);
});
