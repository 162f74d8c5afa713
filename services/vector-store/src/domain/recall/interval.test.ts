import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { effectiveTrials, recallInterval, recallLowerBound } from "./interval.ts";

/** The same numbers in every run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How often queries find 0, 1 … 10 of their ten nearest: most of them all, a tail less. */
const POPULATIONS: Record<string, readonly number[]> = {
  "ef_search 10": [2, 2, 2, 3, 4, 5, 7, 10, 15, 20, 30],
  "about 0.88": [10, 10, 10, 10, 20, 20, 30, 50, 100, 200, 550],
  "about 0.94": [5, 3, 3, 4, 5, 10, 15, 30, 60, 120, 745],
  "about 0.986": [1, 1, 1, 1, 1, 2, 4, 6, 15, 30, 938],
  "about 0.995": [5, 5, 5, 5, 5, 5, 10, 20, 50, 120, 9770],
  "all or nothing": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 99],
  "two kinds": [8, 2, 0, 0, 0, 0, 0, 0, 5, 10, 75],
  "one of ten missed": [0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 95],
};

const K = 10;
const TRIALS = 1500;

function drawer(weights: readonly number[], random: () => number): () => number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return () => {
    let left = random() * total;
    const hits = weights.findIndex((weight) => (left -= weight) < 0);
    return (hits < 0 ? K : hits) / K;
  };
}

function meanOf(weights: readonly number[]): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.reduce((sum, weight, hits) => sum + (weight * hits) / K, 0) / total;
}

/** In which share of the trials the true mean is where `holds` says. */
function coverage(
  weights: readonly number[],
  queries: number,
  holds: (perQuery: readonly number[], truth: number) => boolean,
): number {
  const draw = drawer(weights, numbers(7 * queries + weights.length));
  const truth = meanOf(weights);
  let held = 0;
  for (let trial = 0; trial < TRIALS; trial++) {
    if (holds(Array.from({ length: queries }, draw), truth)) held++;
  }
  return held / TRIALS;
}

describe.each(Object.entries(POPULATIONS))("of queries that find %s", (_, weights) => {
  test.each([20, 100, 400])(
    "the interval of %d queries holds the true recall in at least 95 %% of samples",
    (queries) => {
      const held = coverage(weights, queries, (perQuery, truth) => {
        const { lower, upper } = recallInterval(perQuery, K, 0.95);
        return lower <= truth && truth <= upper;
      });
      expect(held).toBeGreaterThanOrEqual(0.95);
    },
  );

  test.each([50, 400])("the lower bound of %d queries is one in 95 %% of samples, about", (queries) => {
    const held = coverage(weights, queries, (perQuery, truth) => recallLowerBound(perQuery, K) <= truth);
    // Its standard error is 0.6 %.
    expect(held).toBeGreaterThanOrEqual(0.94);
  });
});

test("the interval is not so wide as to say nothing", () => {
  const draw = drawer(POPULATIONS["about 0.94"] as number[], numbers(1));
  const { recall, lower, upper } = recallInterval(Array.from({ length: 400 }, draw), K, 0.95);
  expect(recall).toBeCloseTo(0.94, 1);
  expect(upper - lower).toBeLessThan(0.05);
});

const samples = fc.array(
  fc.integer({ min: 0, max: K }).map((hits) => hits / K),
  { minLength: 2, maxLength: 100 },
);

test("an interval lies within 0 and 1, holds the mean, and grows with the confidence", () => {
  fc.assert(
    fc.property(samples, (perQuery) => {
      const narrow = recallInterval(perQuery, K, 0.8);
      const wide = recallInterval(perQuery, K, 0.99);
      for (const { recall, lower, upper } of [narrow, wide]) {
        expect(lower).toBeGreaterThanOrEqual(0);
        expect(upper).toBeLessThanOrEqual(1);
        expect(lower).toBeLessThanOrEqual(recall);
        expect(upper).toBeGreaterThanOrEqual(recall);
      }
      expect(wide.lower).toBeLessThanOrEqual(narrow.lower);
      expect(wide.upper).toBeGreaterThanOrEqual(narrow.upper);
      expect(recallLowerBound(perQuery, K, 0.95)).toBeGreaterThanOrEqual(wide.lower);
    }),
  );
});

test("queries are worth half as many trials as there are at least, and all of their hits at most", () => {
  fc.assert(
    fc.property(samples, (perQuery) => {
      const trials = effectiveTrials(perQuery, K);
      expect(trials).toBeGreaterThanOrEqual(perQuery.length / 2);
      expect(trials).toBeLessThanOrEqual(perQuery.length * K);
    }),
  );
  expect(
    effectiveTrials(
      Array.from({ length: 50 }, () => 1),
      K,
    ),
  ).toBe(50);
  // Everything or nothing: the hits of one query are one trial, about.
  const allOrNothing = Array.from({ length: 100 }, (_, i) => (i < 90 ? 1 : 0));
  expect(effectiveTrials(allOrNothing, K)).toBeGreaterThan(80);
  expect(effectiveTrials(allOrNothing, K)).toBeLessThan(101);
  // Each misses about one of ten, whoever it is: nearly every hit is a trial of its own.
  const alike = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 0.9 : 0.8));
  expect(effectiveTrials(alike, K)).toBeGreaterThan(500);
});
