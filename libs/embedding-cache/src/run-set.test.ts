import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { RunSet } from "./run-set.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** What the set should say, the slow way. */
function runsOf(ids: Iterable<bigint>): { first: bigint; last: bigint }[] {
  const runs: { first: bigint; last: bigint }[] = [];
  for (const id of [...ids].toSorted((a, b) => (a < b ? -1 : 1))) {
    const run = runs.at(-1);
    if (run && run.last + 1n === id) run.last = id;
    else runs.push({ first: id, last: id });
  }
  return runs;
}

function filled(...batches: BigInt64Array[]): RunSet {
  const set = new RunSet();
  for (const batch of batches) set.addAll(batch);
  return set;
}

describe("a set of runs", () => {
  test("is empty at first", () => {
    const set = new RunSet();
    expect([set.count, set.max, set.has(0n), [...set.runs()]]).toEqual([0, undefined, false, []]);
  });

  test("says the same as a plain set, whatever is added in which order", () => {
    // Close together, so that runs meet and ids come again; and as far apart as they can be.
    const id = fc.oneof(
      { weight: 9, arbitrary: fc.bigInt(-40n, 40n) },
      { weight: 1, arbitrary: fc.constantFrom(INT64_MIN, INT64_MIN + 1n, INT64_MAX - 1n, INT64_MAX) },
    );
    const run = fc
      .tuple(id, fc.integer({ min: 1, max: 6 }))
      .map(([first, length]) =>
        Array.from({ length }, (_, i) => first + BigInt(i)).filter((value) => value <= INT64_MAX),
      );
    const batch = fc.oneof(fc.array(id, { maxLength: 8 }), run);
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 12 }), (batches) => {
        const set = new RunSet();
        const model = new Set<bigint>();
        for (const values of batches) {
          const repeated: number[] = [];
          set.addAll(BigInt64Array.from(values), (position) => repeated.push(position));
          const expected = values.flatMap((value, i) =>
            model.has(value) || values.indexOf(value) < i ? [i] : [],
          );
          expect(repeated).toEqual(expected);
          for (const value of values) model.add(value);
        }
        expect([...set.runs()]).toEqual(runsOf(model));
        expect(set.count).toBe(model.size);
        expect(set.max).toBe(runsOf(model).at(-1)?.last);
        for (let value = -45n; value <= 45n; value++) expect(set.has(value)).toBe(model.has(value));
      }),
    );
  });

  test.each([
    ["ascending", (i: number) => i],
    ["descending", (i: number) => 6000 - i],
    ["shuffled", (i: number) => (i * 2654435761) % 6007],
  ])("holds thousands of runs that came in %s order, and joins them", (_name, order) => {
    const values = Array.from({ length: 6000 }, (_, i) => BigInt(order(i)) * 2n);
    const set = filled(BigInt64Array.from(values));
    expect([...set.runs()]).toEqual(runsOf(values));
    expect(set.count).toBe(6000);
    expect(values.every((value) => set.has(value) && !set.has(value + 1n))).toBe(true);

    // The gaps are closed in another order than they were made in.
    const gaps = Array.from({ length: 6010 }, (_, i) => BigInt((i * 7919) % 6010) * 2n + 1n);
    for (const gap of gaps) set.addAll(BigInt64Array.of(gap));
    expect([...set.runs()]).toEqual(runsOf([...values, ...gaps]));
    expect(set.count).toBe(12_010);
  });

  test("keeps millions of consecutive ids as one run", () => {
    const set = new RunSet();
    for (let first = 0; first < 3_000_000; first += 100_000) {
      set.addAll(BigInt64Array.from({ length: 100_000 }, (_, i) => BigInt(first + i)));
    }
    expect([...set.runs()]).toEqual([{ first: 0n, last: 2_999_999n }]);
  });
});
