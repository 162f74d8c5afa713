import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { chooseBatch, type BatchPart } from "./batching.ts";

const MAX_LENGTH = 256;

function countsOf(lengths: readonly number[]): Uint32Array {
  const counts = new Uint32Array(MAX_LENGTH + 1);
  for (const length of lengths) counts[length] = (counts[length] as number) + 1;
  return counts;
}

const shape = (parts: readonly BatchPart[]) => {
  const rows = parts.reduce((sum, part) => sum + part.count, 0);
  const longest = Math.max(...parts.map((part) => part.length));
  const padding = parts.reduce((sum, part) => sum + part.count * (longest - part.length), 0);
  return { rows, longest, padding };
};

const situation = fc
  .record({
    lengths: fc.array(fc.integer({ min: 2, max: MAX_LENGTH }), { minLength: 1, maxLength: 300 }),
    pick: fc.nat(),
    budget: fc.integer({ min: MAX_LENGTH, max: 4096 }),
    overhead: fc.integer({ min: 0, max: 64 }),
  })
  .map(({ pick, ...rest }) => ({ ...rest, seed: rest.lengths[pick % rest.lengths.length] as number }));

describe("any batch", () => {
  test("has the seed, takes only what waits, keeps to the budget, and pads less than a start costs", () => {
    fc.assert(
      fc.property(situation, ({ lengths, seed, budget, overhead }) => {
        const counts = countsOf(lengths);
        const parts = chooseBatch(counts, seed, { budget, overhead });
        const { rows, longest, padding } = shape(parts);
        expect(parts.find((part) => part.length === seed)?.count).toBeGreaterThan(0);
        for (const { length, count } of parts) expect(count).toBeLessThanOrEqual(counts[length] as number);
        expect(new Set(parts.map((part) => part.length)).size).toBe(parts.length);
        expect(rows * longest).toBeLessThanOrEqual(budget);
        expect(padding).toBeLessThanOrEqual(overhead);
      }),
    );
  });

  test("leaves nothing out that would cost nothing: texts of the longest length while there is room", () => {
    fc.assert(
      fc.property(situation, ({ lengths, seed, budget, overhead }) => {
        const counts = countsOf(lengths);
        const parts = chooseBatch(counts, seed, { budget, overhead });
        const { rows, longest } = shape(parts);
        const ofLongest = parts.find((part) => part.length === longest)?.count ?? 0;
        const full = (rows + 1) * longest > budget;
        expect(full || ofLongest === counts[longest]).toBe(true);
      }),
    );
  });
});

const limits = { budget: 512, overhead: 16 };

test("a crowd of one length fills a batch by itself", () => {
  expect(chooseBatch(countsOf(Array<number>(100).fill(20)), 20, limits)).toEqual([{ length: 20, count: 25 }]);
});

test("a few texts of similar length go together, in one batch around the seed", () => {
  expect(chooseBatch(countsOf([10, 12, 14]), 12, limits)).toEqual([
    { length: 14, count: 1 },
    { length: 12, count: 1 },
    { length: 10, count: 1 },
  ]);
});

test("a short text does not go with a long one", () => {
  expect(chooseBatch(countsOf([5, 200]), 5, limits)).toEqual([{ length: 5, count: 1 }]);
  expect(chooseBatch(countsOf([5, 200]), 200, limits)).toEqual([{ length: 200, count: 1 }]);
});
