import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { IndexScan, SearchState, ServingIndex } from "../item-ports.ts";
import {
  defaultEfSearch,
  exactRowBound,
  firstCandidateLimit,
  indexScan,
  MAX_SCAN_TUPLES,
  nextCandidateLimit,
} from "./search-plan.ts";

const query = { exact: false, efSearch: undefined, probes: undefined };
const hnsw: ServingIndex = {
  name: "h",
  oid: 1,
  method: "hnsw",
  quantization: "none",
  metric: "cosine",
  curves: [],
  operatorClass: "vector_cosine_ops",
  valid: true,
  partial: false,
  sizeBytes: 1n,
  parameters: { m: "16", ef_construction: "200" },
};
const ivfflat: ServingIndex = { ...hnsw, name: "i", method: "ivfflat", parameters: { lists: "100" } };
const stateOf = (...indexes: ServingIndex[]): SearchState => ({
  indexes,
  estimatedRows: 25_000,
  estimatedGroups: 5000,
  iterativeScans: true,
});
const options = {
  collection: { elementType: "vector" as const },
  metric: "cosine" as const,
  state: stateOf(hnsw),
  wanted: 10,
};

describe("indexScan", () => {
  test("takes an index of the metric and the element type, and not against the caller's will", () => {
    expect(indexScan(query, options)).toMatchObject({ method: "hnsw", indexName: "h", efSearch: 200 });
    expect(indexScan({ ...query, exact: true }, options)).toBeUndefined();
    expect(indexScan(query, { ...options, state: stateOf() })).toBeUndefined();
    expect(indexScan(query, { ...options, metric: "l2" })).toBeUndefined();
    expect(indexScan(query, { ...options, collection: { elementType: "halfvec" } })).toBeUndefined();
    const l2 = { ...hnsw, operatorClass: "vector_l2_ops" };
    expect(indexScan(query, { ...options, metric: "l2", state: stateOf(l2) })).toBeDefined();
  });

  test("takes no index that holds some rows only, or that is not valid", () => {
    for (const change of [{ valid: false }, { partial: true }]) {
      expect(indexScan(query, { ...options, state: stateOf({ ...hnsw, ...change }) })).toBeUndefined();
    }
  });

  test("whoever names probes or ef_search gets the index that they are for, where there is one", () => {
    const both = { ...options, state: stateOf(hnsw, ivfflat) };
    expect(indexScan(query, both)).toMatchObject({ method: "hnsw" });
    expect(indexScan({ ...query, probes: 7 }, both)).toEqual({
      method: "ivfflat",
      indexName: "i",
      quantization: "none",
      rerank: undefined,
      probes: 7,
      maxProbes: 100,
    });
    expect(indexScan({ ...query, probes: 700 }, both)).toMatchObject({ probes: 100 });
    expect(indexScan({ ...query, probes: 7 }, options)).toMatchObject({ method: "hnsw" });
    expect(indexScan(query, { ...options, state: stateOf(ivfflat) })).toMatchObject({ probes: 20 });
  });

  test("ef_search is never below what is wanted, which it caps, and never above pgvector's limit", () => {
    const count = fc.integer({ min: 1, max: 2000 });
    fc.assert(
      fc.property(count, fc.option(fc.integer({ min: 1, max: 1000 })), (wanted, asked) => {
        const scan = indexScan({ ...query, efSearch: asked ?? undefined }, { ...options, wanted });
        const { efSearch } = scan as IndexScan & { method: "hnsw" };
        expect(efSearch).toBeGreaterThanOrEqual(Math.min(1000, wanted));
        expect(efSearch).toBeLessThanOrEqual(1000);
        if (asked !== null && asked >= wanted) expect(efSearch).toBe(asked);
      }),
    );
  });
});

test("an index that was built with little effort is searched with more", () => {
  expect(defaultEfSearch({ m: "16", ef_construction: "200" }, 10)).toBe(200);
  expect(defaultEfSearch({ m: "16", ef_construction: "64" }, 10)).toBe(400);
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
