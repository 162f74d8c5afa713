import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { IndexScan, ServingIndex } from "../item-ports.ts";
import { chooseIndex } from "./choose-index.ts";
import { MAX_SCAN_TUPLES } from "./search-plan.ts";

const query = { exact: false, efSearch: undefined, probes: undefined, recallTarget: undefined };
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
const binary: ServingIndex = {
  ...hnsw,
  name: "b",
  quantization: "binary",
  operatorClass: "bit_hamming_ops",
};
const half: ServingIndex = {
  ...hnsw,
  name: "f",
  quantization: "halfvec",
  operatorClass: "halfvec_cosine_ops",
};
const diskann: ServingIndex = { ...hnsw, name: "d", method: "diskann", parameters: {} };

const tuned = (
  index: ServingIndex,
  ...points: [effort: number, recall: number, ms: number][]
): ServingIndex => ({
  ...index,
  curves: [
    {
      k: 10,
      selectivity: 1,
      points: points.map(([effort, recall, ms]) => ({ effort, recall, lower: recall - 0.005, ms })),
      queries: 400,
      exactMs: 1000,
      recentQueries: 100,
      rows: 25_000,
      tunedAt: new Date(0),
    },
  ],
});

const options = {
  collection: { elementType: "vector" as const, recallTarget: 0.95 },
  metric: "cosine" as const,
  state: { indexes: [hnsw], estimatedRows: 25_000 },
  wanted: 10,
  candidateLimit: 10,
  selectivity: 1,
};
const among = (...indexes: ServingIndex[]) => ({
  ...options,
  state: { ...options.state, indexes },
});
const scanOf = (...args: Parameters<typeof chooseIndex>) => chooseIndex(...args)?.scan;

describe("chooseIndex", () => {
  test("takes an index of the metric and the element type, and not against the caller's will", () => {
    expect(scanOf(query, options)).toMatchObject({ method: "hnsw", indexName: "h", efSearch: 200 });
    expect(scanOf({ ...query, exact: true }, options)).toBeUndefined();
    expect(scanOf(query, among())).toBeUndefined();
    expect(scanOf(query, { ...options, metric: "l2" })).toBeUndefined();
    const halves = { ...options.collection, elementType: "halfvec" as const };
    expect(scanOf(query, { ...options, collection: halves })).toBeUndefined();
    const l2 = { ...hnsw, operatorClass: "vector_l2_ops" };
    expect(scanOf(query, { ...among(l2), metric: "l2" })).toBeDefined();
  });

  test("each kind is scanned as it is", () => {
    expect(scanOf(query, among(half))).toMatchObject({
      quantization: "halfvec",
      efSearch: 200,
      rerank: undefined,
    });
    expect(scanOf(query, among(binary))).toMatchObject({ efSearch: 1000, rerank: 1000 });
    expect(scanOf(query, among(diskann))).toMatchObject({ method: "diskann", searchListSize: 300 });
    expect(scanOf(query, among(ivfflat))).toMatchObject({ method: "ivfflat", probes: 50, maxProbes: 100 });
  });

  test("whoever names probes or ef_search gets the index that they are for, where there is one", () => {
    const both = among(hnsw, ivfflat);
    expect(scanOf(query, both)).toMatchObject({ method: "hnsw" });
    expect(chooseIndex({ ...query, probes: 7 }, both)).toEqual({
      scan: {
        method: "ivfflat",
        indexName: "i",
        quantization: "none",
        rerank: undefined,
        probes: 7,
        maxProbes: 100,
      },
      recallTarget: undefined,
      expectedRecall: undefined,
      reason: "The caller named its effort.",
    });
    expect(scanOf({ ...query, probes: 700 }, both)).toMatchObject({ probes: 100 });
    expect(scanOf({ ...query, probes: 7 }, options)).toMatchObject({ method: "hnsw", efSearch: 200 });
    expect(scanOf({ ...query, efSearch: 70 }, among(binary))).toMatchObject({ rerank: 70, efSearch: 70 });
  });

  test("ef_search is never below what is wanted, which it caps, and never above pgvector's limit", () => {
    const count = fc.integer({ min: 1, max: 2000 });
    fc.assert(
      fc.property(count, fc.option(fc.integer({ min: 1, max: 1000 })), (wanted, asked) => {
        const scan = scanOf(
          { ...query, efSearch: asked ?? undefined },
          { ...options, wanted, candidateLimit: wanted },
        );
        const { efSearch } = scan as IndexScan & { method: "hnsw" };
        expect(efSearch).toBeGreaterThanOrEqual(Math.min(1000, wanted));
        expect(efSearch).toBeLessThanOrEqual(1000);
        if (asked !== null && asked >= wanted) expect(efSearch).toBe(asked);
      }),
    );
  });

  test("no fewer are compared again than are looked at for groups", () => {
    const index = tuned(binary, [100, 0.97, 1]);
    expect(scanOf(query, { ...among(index), candidateLimit: 400 })).toMatchObject({
      rerank: 400,
      efSearch: 400,
    });
    expect(scanOf(query, { ...among(index), candidateLimit: 4000 })).toMatchObject({
      rerank: 4000,
      efSearch: 1000,
    });
  });

  test("the effort is the tuned one, for the search's own target or the collection's, and says why", () => {
    const indexes = among(tuned(hnsw, [40, 0.91, 0.5], [120, 0.957, 0.9], [300, 0.992, 2]));
    const chosen = chooseIndex(query, indexes);
    expect(chosen).toMatchObject({ scan: { efSearch: 120 }, recallTarget: 0.95, expectedRecall: 0.957 });
    expect(chosen?.reason).toBe(
      "The target is recall 0.95; tuned on 400 queries: 0.957 recall@10 at ef_search 120.",
    );
    expect(chooseIndex({ ...query, recallTarget: 0.98 }, indexes)).toMatchObject({
      scan: { efSearch: 300, maxScanTuples: MAX_SCAN_TUPLES },
      recallTarget: 0.98,
      expectedRecall: 0.992,
    });
    expect(chooseIndex({ ...query, recallTarget: 0.999 }, indexes)?.reason).toContain(
      "No effort was measured",
    );
    expect(chooseIndex({ ...query, efSearch: 120 }, indexes)?.expectedRecall).toBe(0.957);
    expect(chooseIndex(query, options)?.reason).toContain("never tuned");
  });

  test("an exact search is better than a scan that is not certain to meet the target, unless it takes much longer", () => {
    const index = tuned(hnsw, [120, 0.957, 2], [300, 0.992, 10]);
    const reasonFor = (recallTarget: number, exactMs: number, queries = 400, rows = 25_000) => {
      const curves = index.curves.map((curve) => ({ ...curve, exactMs, queries }));
      const { state, ...others } = among({ ...index, curves });
      const wanted = { ...others, state: { ...state, estimatedRows: rows } };
      return chooseIndex({ ...query, recallTarget }, wanted)?.exactInstead;
    };
    expect(reasonFor(0.99, 40)).toBe(
      "h was not measured to reach recall 0.99 for certain with any effort, and comparing every row takes some 40 ms where its scan takes 10.",
    );
    expect(reasonFor(0.98, 1)).toBeUndefined();
    expect(reasonFor(0.99, 41)).toBeUndefined();
    // A few queries are not certain of anything.
    expect(reasonFor(0.99, 40, 99)).toBeUndefined();
    // The table has grown since.
    expect(reasonFor(0.99, 40, 400, 26_000)).toBeUndefined();
    expect(chooseIndex({ ...query, efSearch: 10 }, among(index))?.exactInstead).toBeUndefined();
  });

  test("of several, the one that reaches the target in the least time, before those of which nobody knows", () => {
    const slow = tuned(hnsw, [120, 0.97, 3]);
    const fast = tuned(binary, [400, 0.96, 1]);
    const poor = tuned(half, [1000, 0.9, 0.1]);
    expect(scanOf(query, among(ivfflat, poor, slow, fast))).toMatchObject({ indexName: "b" });
    expect(scanOf({ ...query, recallTarget: 0.962 }, among(ivfflat, poor, slow, fast))).toMatchObject({
      indexName: "h",
    });
    expect(scanOf(query, among(ivfflat, poor))).toMatchObject({ indexName: "i" });
  });
});
