import type { ElementType, Metric } from "../src/domain/collection.ts";

// Vectors and their distances as PostgreSQL should compute them, written as the formulas are.

export type Numbers = readonly number[];

/** The vector of this number: halves, which float16 has exactly too, or bits. */
export function vectorOf(elementType: ElementType, dimensions: number, seed: number): Numbers {
  let state = (seed + 1) * 2_654_435_761;
  return Array.from({ length: dimensions }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    const mixed = (Math.imul(state ^ (state >>> 12), 0x297a2d39) ^ (state >>> 7)) >>> 0;
    return elementType === "bit" ? mixed & 1 : (mixed % 2001) / 1024 - 0.9765625;
  });
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const dot = (a: Numbers, b: Numbers): number => sum(a.map((x, i) => x * (b[i] as number)));

export function distanceOf(metric: Metric, a: Numbers, b: Numbers): number {
  const differences = a.map((x, i) => x - (b[i] as number));
  switch (metric) {
    case "cosine":
      return 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    case "l2":
      return Math.sqrt(dot(differences, differences));
    case "inner-product":
      return -dot(a, b);
    case "l1":
      return sum(differences.map(Math.abs));
    case "hamming":
      return sum(differences.map(Math.abs));
    case "jaccard": {
      const both = dot(a, b);
      const either = sum(a) + sum(b) - both;
      return both === 0 ? 1 : 1 - both / either;
    }
  }
}
