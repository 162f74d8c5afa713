import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { requestRate, TokenBucket, tokenRate } from "./token-bucket.ts";

test("starts full, empties and fills up", () => {
  const bucket = new TokenBucket({ capacity: 10, perMs: 0.5 }, 100);
  expect(bucket.level(100)).toBe(10);
  bucket.take(8, 100);
  expect(bucket.msUntil(2, 100)).toBe(0);
  expect(bucket.msUntil(5, 100)).toBe(6);
  expect(bucket.level(106)).toBe(5);
  expect(bucket.level(1e9)).toBe(10);
});

test("what is larger than the bucket waits for a full one, and leaves a debt", () => {
  const bucket = new TokenBucket({ capacity: 10, perMs: 1 }, 0);
  bucket.take(4, 0);
  expect(bucket.msUntil(25, 0)).toBe(4);
  bucket.take(25, 4);
  expect(bucket.level(4)).toBe(-15);
  expect(bucket.msUntil(1, 4)).toBe(16);
});

test("takes corrections both ways, and never holds more than it can", () => {
  const bucket = new TokenBucket({ capacity: 10, perMs: 1 }, 0);
  bucket.take(10, 0);
  bucket.correct(6, 0);
  expect(bucket.level(0)).toBe(6);
  bucket.correct(-9, 0);
  expect(bucket.level(0)).toBe(-3);
  bucket.correct(100, 0);
  expect(bucket.level(0)).toBe(10);
  bucket.limitTo(4, 0);
  bucket.limitTo(7, 0);
  expect(bucket.level(0)).toBe(4);
});

test("a clock that goes back takes nothing away and gives nothing twice", () => {
  const bucket = new TokenBucket({ capacity: 10, perMs: 1 }, 0);
  bucket.take(10, 0);
  expect(bucket.level(5)).toBe(5);
  expect(bucket.level(3)).toBe(5);
  expect(bucket.level(6)).toBe(6);
});

describe("never more than the limit in any minute", () => {
  /** Takes each amount as soon as it may. @returns when and how much. */
  function takeAll(bucket: TokenBucket, wishes: readonly { amount: number; afterMs: number }[]) {
    let now = 0;
    return wishes.map(({ amount, afterMs }) => {
      now += afterMs;
      for (let wait = bucket.msUntil(amount, now); wait > 0; wait = bucket.msUntil(amount, now)) now += wait;
      bucket.take(amount, now);
      return { at: now, amount };
    });
  }

  function mostInAMinute(taken: readonly { at: number; amount: number }[]): number {
    const sums = taken.map(({ at }) =>
      taken
        .filter((other) => other.at >= at && other.at < at + 60_000)
        .reduce((sum, other) => sum + other.amount, 0),
    );
    return Math.max(0, ...sums);
  }

  test("requests", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.nat(3000), { minLength: 1, maxLength: 300 }),
        (limit, gaps) => {
          const bucket = new TokenBucket(requestRate(limit), 0);
          const taken = takeAll(
            bucket,
            gaps.map((afterMs) => ({ amount: 1, afterMs })),
          );
          expect(mostInAMinute(taken)).toBeLessThanOrEqual(limit);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("tokens, where no request is larger than the bucket", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 100_000 }),
        fc.array(fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }), afterMs: fc.nat(4000) }), {
          minLength: 1,
          maxLength: 100,
        }),
        (limit, wishes) => {
          const rate = tokenRate(limit);
          const taken = takeAll(
            new TokenBucket(rate, 0),
            wishes.map(({ share, afterMs }) => ({ amount: share * rate.capacity, afterMs })),
          );
          expect(mostInAMinute(taken)).toBeLessThanOrEqual(limit * (1 + 1e-9));
        },
      ),
      { numRuns: 100 },
    );
  });

  test("and nearly the limit when there is work without end", () => {
    for (const [rate, limit] of [
      [requestRate(600), 600],
      [tokenRate(600), 600],
      [requestRate(1), 1],
    ] as const) {
      const taken = takeAll(
        new TokenBucket(rate, 0),
        Array.from({ length: limit * 10 }, () => ({ amount: 1, afterMs: 0 })),
      );
      const minutes = ((taken.at(-1) as { at: number }).at || 60_000) / 60_000;
      expect(taken.length / minutes).toBeGreaterThanOrEqual(0.9 * limit);
    }
  });
});
