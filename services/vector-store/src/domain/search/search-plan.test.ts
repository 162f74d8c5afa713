import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { metricsOf } from "../collection.ts";
import type { VectorIndex } from "../vector-index.ts";
import {
  defaultEfSearch,
  defaultProbes,
  exactRowBound,
  filteredCandidateLimit,
  firstCandidateLimit,
  MAX_SCAN_TUPLES,
  nextCandidateLimit,
  servesMetric,
} from "./search-plan.ts";

const whole: VectorIndex = {
  name: "h",
  oid: 1,
  method: "hnsw",
  quantization: "none",
  metric: "cosine",
  operatorClass: "vector_cosine_ops",
  valid: true,
  partial: false,
  sizeBytes: 1n,
  parameters: {},
};

describe("servesMetric", () => {
  const vectors = { elementType: "vector" } as const;
  const halves = { elementType: "halfvec" } as const;

  test("by the operator class of what it holds", () => {
    expect(servesMetric(whole, "cosine", vectors)).toBe(true);
    expect(servesMetric(whole, "l2", vectors)).toBe(false);
    expect(servesMetric(whole, "cosine", halves)).toBe(false);
    const half = { ...whole, quantization: "halfvec", operatorClass: "halfvec_l2_ops" } as const;
    expect(servesMetric(half, "l2", vectors)).toBe(true);
    expect(servesMetric(half, "cosine", vectors)).toBe(false);
  });

  test("signs of numbers tell directions, and no lengths", () => {
    const binary = { ...whole, quantization: "binary", operatorClass: "bit_hamming_ops" } as const;
    const served = metricsOf("vector").filter((metric) => servesMetric(binary, metric, vectors));
    expect(served).toEqual(["cosine", "inner-product"]);
    expect(servesMetric({ ...binary, operatorClass: "bit_jaccard_ops" }, "cosine", vectors)).toBe(false);
  });

  test("none that holds some rows only, or that is not valid", () => {
    expect(servesMetric({ ...whole, valid: false }, "cosine", vectors)).toBe(false);
    expect(servesMetric({ ...whole, partial: true }, "cosine", vectors)).toBe(false);
  });
});

test("an index that was built with little effort is searched with more", () => {
  expect(defaultEfSearch({ m: "16", ef_construction: "200" }, 10)).toBe(200);
  expect(defaultEfSearch({ m: "16", ef_construction: "64" }, 10)).toBe(400);
});

test("lists of bits are looked through for longer, and there are no more than all", () => {
  expect([defaultProbes(400, false), defaultProbes(400, true)]).toEqual([100, 200]);
  expect([defaultProbes(16, false), defaultProbes(64, true), defaultProbes(1, false)]).toEqual([16, 64, 1]);
});

describe("candidates", () => {
  test("are as many as hits where each item is one", () => {
    expect(firstCandidateLimit(10, undefined)).toBe(10);
  });

  test("are enough for groups of the average size, and twice as many at least", () => {
    expect(firstCandidateLimit(10, { groupSize: 1, itemsPerGroup: 1 })).toBe(20);
    expect(firstCandidateLimit(10, { groupSize: 1, itemsPerGroup: 5 })).toBe(75);
    expect(firstCandidateLimit(10, { groupSize: 8, itemsPerGroup: 1 })).toBe(80);
  });

  test("are more under a filter, unless they are very many", () => {
    expect([10, 75, 399, 400, 5000].map(filteredCandidateLimit)).toEqual([40, 300, 400, 400, 5000]);
  });

  test("grow until everything has been looked at", () => {
    expect(nextCandidateLimit(10)).toBe(80);
  });
});

test("rows that pass a filter are compared one by one up to where the index is cheaper", () => {
  const scan = {
    method: "hnsw",
    indexName: "h",
    quantization: "none",
    rerank: undefined,
    efSearch: 200,
    maxScanTuples: MAX_SCAN_TUPLES,
  } as const;
  // Few rows in all: an index scan costs at least ef_search.
  expect(exactRowBound(75, 25_000, scan)).toBe(4331);
  expect(exactRowBound(20, 1000, scan)).toBe(2000);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 100_000_000 }),
      (candidates, total) => {
        const bound = exactRowBound(candidates, total, scan);
        // At the bound the index scan is expected to pass candidates * total / bound rows, ten times as dear each.
        const passed = Math.max(200, (candidates * total) / bound);
        expect(passed * 10).toBeLessThanOrEqual(bound * 1.001);
      },
    ),
  );
});
