import { expect, test } from "@jest/globals";
import { cosines } from "./vectors.ts";

test("cosines are those of the rows, whatever their lengths", () => {
  const [same, turned, opposite] = cosines(
    Float32Array.of(1, 2, 1, 0, 3, 3),
    Float32Array.of(2, 4, 0, 5, -1, -1),
    2,
  );
  expect(same).toBeCloseTo(1, 12);
  expect(turned).toBeCloseTo(0, 12);
  expect(opposite).toBeCloseTo(-1, 12);
});

test("lists of different sizes cannot be compared", () => {
  expect(() => cosines(new Float32Array(4), new Float32Array(6), 2)).toThrow("4 and 6 floats");
});
