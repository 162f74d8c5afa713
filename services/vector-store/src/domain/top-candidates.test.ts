import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { compareCandidates, TopCandidates } from "./top-candidates.ts";

const distance = fc.oneof(
  fc.constantFrom(0, -0, 1, Number.NaN, Infinity, -Infinity),
  fc.integer({ min: -3, max: 3 }),
  fc.double(),
);

/** What ORDER BY distance, rank LIMIT n gives, found by sorting everything by PostgreSQL's rules. */
function sorted(distances: readonly number[], limit: number): number[] {
  const groups = [...new Set(distances.filter((d) => !Number.isNaN(d)).map((d) => d + 0))].toSorted((a, b) =>
    a < b ? -1 : 1,
  );
  const ranks = groups.flatMap((value) => [...distances.keys()].filter((i) => distances[i] === value));
  const nans = [...distances.keys()].filter((i) => Number.isNaN(distances[i]));
  return [...ranks, ...nans].slice(0, limit);
}

test("holds what sorting everything gives, in whatever order rows arrive", () => {
  const rows = fc.array(distance, { maxLength: 200 }).chain((distances) =>
    fc.record({
      distances: fc.constant(distances),
      arrival: fc.shuffledSubarray([...distances.keys()], { minLength: distances.length }),
      limit: fc.integer({ min: 1, max: 60 }),
    }),
  );
  fc.assert(
    fc.property(rows, ({ distances, arrival, limit }) => {
      const top = new TopCandidates(limit);
      for (const rank of arrival) top.offerOne(distances[rank] as number, rank);
      const found = top.ascending();
      expect(found.map(({ rank }) => rank)).toEqual(sorted(distances, limit));
      for (const { rank, distance: kept } of found) expect(kept).toBe(distances[rank]);
    }),
    { numRuns: 300 },
  );
});

test("a range of rows is offered at once, wherever its ranks begin", () => {
  const top = new TopCandidates(3);
  top.offer(Float64Array.of(5, 4, 4, 1), 3, 100);
  const accepted: [number, number][] = [];
  top.offer(Float64Array.of(4, 6), 2, 7, (row, rank) => accepted.push([row, rank]));
  expect(accepted).toEqual([[0, 7]]);
  expect(top.ascending()).toEqual([
    { distance: 4, rank: 7 },
    { distance: 4, rank: 101 },
    { distance: 4, rank: 102 },
  ]);
});

test("zero has no sign, and NaN comes last", () => {
  expect(compareCandidates({ distance: -0, rank: 2 }, { distance: 0, rank: 1 })).toBeGreaterThan(0);
  expect(
    compareCandidates({ distance: Number.NaN, rank: 1 }, { distance: Infinity, rank: 2 }),
  ).toBeGreaterThan(0);
  expect(
    compareCandidates({ distance: Number.NaN, rank: 1 }, { distance: Number.NaN, rank: 2 }),
  ).toBeLessThan(0);
});
