import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { ExactNeighbours } from "./neighbours.ts";

const vectorOf = (...values: number[]): Float32Array => Float32Array.from(values);

test("the share of the k nearest that was found", () => {
  const exact = new ExactNeighbours([vectorOf(1, 0)], { k: 3, metric: "inner-product" });
  for (let i = 0; i < 50; i++) exact.offer(`p${i}`, vectorOf(i, 1));
  expect(exact.overlap(0, ["p49", "p48", "p47"])).toBe(1);
  expect(exact.overlap(0, ["p47", "p49", "p1"])).toBeCloseTo(2 / 3);
  expect(exact.overlap(0, ["p49", "p49", "p49"])).toBeCloseTo(1 / 3);
  expect(exact.overlap(0, [])).toBe(0);
  // Beyond k nothing counts.
  expect(exact.overlap(0, ["p1", "p2", "p3", "p49"])).toBe(0);
});

test("of equal ones any will do", () => {
  const exact = new ExactNeighbours([vectorOf(0, 0)], { k: 2, metric: "l2" });
  for (const path of ["a", "b", "c", "d"]) exact.offer(path, vectorOf(1, 0));
  exact.offer("far", vectorOf(5, 0));
  expect(exact.overlap(0, ["d", "c"])).toBe(1);
  expect(exact.overlap(0, ["d", "far"])).toBe(0.5);
});

test("an image counts once, by its nearest vector", () => {
  const exact = new ExactNeighbours([vectorOf(1, 0)], { k: 2, metric: "inner-product" });
  exact.offer("a", vectorOf(1, 0));
  exact.offer("b", vectorOf(3, 0));
  exact.offer("a", vectorOf(9, 0));
  exact.offer("a", vectorOf(2, 0));
  exact.offer("c", vectorOf(2.5, 0));
  expect(exact.overlap(0, ["a", "b"])).toBe(1);
  expect(exact.overlap(0, ["a", "c"])).toBe(0.5);
});

test("fewer images than neighbours asked for", () => {
  const exact = new ExactNeighbours([vectorOf(1, 0)], { k: 10, metric: "l2" });
  expect(exact.overlap(0, [])).toBe(1);
  exact.offer("a", vectorOf(0, 1));
  expect(exact.overlap(0, ["a"])).toBe(1);
  expect(exact.overlap(0, [])).toBe(0);
});

test("what sorting everything gives is found whole, whatever comes in which order", () => {
  const float = fc.float({ min: -4, max: 4, noNaN: true });
  const row = fc.tuple(fc.nat(40), float, float);
  const property = fc.property(
    fc.array(row, { minLength: 1, maxLength: 200 }),
    fc.constantFrom("inner-product" as const, "l2" as const),
    fc.integer({ min: 1, max: 5 }),
    (rows, metric, k) => {
      const query = vectorOf(1, -0.5);
      const exact = new ExactNeighbours([query], { k, metric });
      const best = new Map<string, number>();
      for (const [name, x, y] of rows) {
        const path = `p${name}`;
        exact.offer(path, vectorOf(x, y));
        const score = metric === "l2" ? -((1 - x) ** 2 + (-0.5 - y) ** 2) : x - 0.5 * y;
        best.set(path, Math.max(best.get(path) ?? -Infinity, score));
      }
      const nearest = [...best].toSorted(([, one], [, other]) => other - one).map(([path]) => path);
      expect(exact.overlap(0, nearest.slice(0, k))).toBe(1);
    },
  );
  expect(fc.check(property)).toMatchObject({ failed: false });
});
