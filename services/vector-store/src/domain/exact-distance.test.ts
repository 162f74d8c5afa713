import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { distanceFrom, squaredNorms, type DenseMetric } from "./exact-distance.ts";

const METRICS: readonly DenseMetric[] = ["cosine", "l2", "inner-product", "l1"];

function distances(metric: DenseMetric, query: readonly number[], rows: readonly number[][]): number[] {
  const from = Float32Array.from(query);
  const values = Float32Array.from(rows.flat());
  const norms = new Float32Array(rows.length);
  squaredNorms(values, from.length, { first: 0, end: rows.length }, norms);
  const found = new Float64Array(rows.length);
  distanceFrom(from, metric)({ values, norms, count: rows.length }, 0, rows.length, found);
  return [...found];
}

/** The formulas in double precision, and the sum of their terms' sizes, which bounds the error. */
function reference(metric: DenseMetric, a: readonly number[], b: readonly number[]): [number, number] {
  const sum = (term: (x: number, y: number) => number): number =>
    a.reduce((total, x, i) => total + term(x, b[i] as number), 0);
  const size = sum((x, y) => Math.abs(x * y));
  switch (metric) {
    case "inner-product":
      return [-sum((x, y) => x * y), size];
    case "cosine": {
      const norm = Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
      return [1 - sum((x, y) => x * y) / norm, 1 + size / norm];
    }
    case "l2": {
      const distance = Math.sqrt(sum((x, y) => (x - y) ** 2));
      return [distance, distance];
    }
    case "l1":
      return [sum((x, y) => Math.abs(x - y)), sum((x, y) => Math.abs(x) + Math.abs(y))];
  }
}

const component = fc.integer({ min: -1000, max: 1000 }).map((value) => Math.fround(value / 997));
const pairs = fc
  .integer({ min: 1, max: 70 })
  .chain((length) =>
    fc.tuple(
      fc.array(component, { minLength: length, maxLength: length }),
      fc.array(fc.array(component, { minLength: length, maxLength: length }), { minLength: 1, maxLength: 5 }),
    ),
  );

test.each(METRICS)("%s is what its formula says, for every length", (metric) => {
  fc.assert(
    fc.property(pairs, ([query, rows]) => {
      fc.pre([query, ...rows].every((vector) => vector.some((value) => Math.abs(value) > 0.01)));
      for (const [i, found] of distances(metric, query, rows).entries()) {
        const [expected, size] = reference(metric, query, rows[i] as number[]);
        expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-5 * size);
      }
    }),
  );
});

test.each(METRICS)("%s of equal rows is equal, wherever they stand", (metric) => {
  fc.assert(
    fc.property(pairs, ([query, rows]) => {
      const once = distances(metric, query, rows);
      expect(distances(metric, query, [...rows, ...rows])).toEqual([...once, ...once]);
    }),
  );
});

test("sums are of single precision", () => {
  // 2^24 + 1 is no float32; in eight partial sums the ones meet each other before they meet the large number.
  expect(distances("inner-product", [1, 0, 0, 0, 1], [[2 ** 24, 0, 0, 0, 1]])).toEqual([-(2 ** 24)]);
  expect(distances("inner-product", [1, 1, 1], [[2 ** 24, 1, 1]])).toEqual([-(2 ** 24)]);
  expect(distances("inner-product", [1, 1, 0, 1], [[2 ** 24, 1, 0, 1]])).toEqual([-(2 ** 24 + 2)]);
});

test("a vector has no distance from itself, and cosine distances lie between 0 and 2", () => {
  const a = [0.1, 0.2, 0.3];
  const opposite = a.map((value) => -value);
  expect(distances("cosine", a, [a, a.map((value) => 4 * value), opposite])).toEqual([0, 0, 2]);
  for (const metric of ["l2", "l1"] as const) expect(distances(metric, a, [a])).toEqual([0]);
});

test("the cosine distance of a zero vector is NaN, as pgvector has it", () => {
  expect(distances("cosine", [1, 2], [[0, 0]])).toEqual([Number.NaN]);
  expect(distances("cosine", [0, 0], [[1, 2]])).toEqual([Number.NaN]);
});
