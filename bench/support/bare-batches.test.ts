import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { bareBatches } from "./bare-batches.ts";

const texts = fc.array(fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 2, maxLength: 256 }), {
  maxLength: 60,
});

test("every text is in one batch, with its own ids and its own mask, within the budget", () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 256, max: 2048 }), (tokenIds, budget) => {
      const batches = bareBatches(tokenIds, budget);
      expect(batches.flatMap((batch) => batch.texts).toSorted((a, b) => a - b)).toEqual([...tokenIds.keys()]);
      for (const { ids, mask, rows, columns, texts: members } of batches) {
        expect(rows * columns).toBeLessThanOrEqual(budget);
        for (const [row, text] of members.entries()) {
          const own = mask.subarray(row * columns, (row + 1) * columns).reduce((sum, bit) => sum + bit, 0);
          expect([...ids.subarray(row * columns, row * columns + own)]).toEqual(tokenIds[text]);
        }
      }
    }),
  );
});

test("texts of equal length are padded by nothing", () => {
  const batches = bareBatches(
    [
      [5, 5, 5],
      [7, 7],
      [8, 8, 8],
      [9, 9],
    ],
    6,
  );
  expect(batches.map(({ texts: members }) => members)).toEqual([
    [0, 2],
    [1, 3],
  ]);
  expect(batches.flatMap(({ mask }) => [...mask])).not.toContain(0);
});
