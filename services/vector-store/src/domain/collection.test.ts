import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { similarityOf, vectorBytes } from "./collection.ts";

test("similarity falls as distance grows, for every metric", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("cosine", "l2", "l1", "inner-product", "hamming", "jaccard" as const),
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.double({ min: 1e-6, max: 100, noNaN: true }),
      (metric, distance, more) => {
        expect(similarityOf(metric, distance, 8)).toBeGreaterThan(similarityOf(metric, distance + more, 8));
      },
    ),
  );
  expect(similarityOf("cosine", 0.25, 2)).toBe(0.75);
  expect(similarityOf("l2", 1, 2)).toBe(0.5);
  expect(similarityOf("l1", 3, 2)).toBe(0.25);
  expect(similarityOf("inner-product", -2, 2)).toBe(2);
  expect(similarityOf("hamming", 2, 8)).toBe(0.75);
  expect(similarityOf("jaccard", 0.25, 8)).toBe(0.75);
  expect(Object.is(similarityOf("inner-product", 0, 2), 0)).toBe(true);
});

test("bits are packed into whole bytes; half-precision numbers travel as float32", () => {
  expect(vectorBytes({ elementType: "bit", dimensions: 9 })).toBe(2);
  expect(vectorBytes({ elementType: "halfvec", dimensions: 3 })).toBe(12);
  expect(vectorBytes({ elementType: "vector", dimensions: 3 })).toBe(12);
});
