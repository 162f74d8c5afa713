import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { CatalogueState } from "./ports.ts";
import {
  defaultEfSearch,
  exactRowBound,
  firstCandidateLimit,
  indexScan,
  nextCandidateLimit,
} from "./search-plan.ts";
import { similarityOf, type SearchQuery } from "./search-query.ts";

const query: SearchQuery = {
  by: { kind: "text", text: "cat" },
  k: 10,
  threshold: undefined,
  metric: "cosine",
  filter: { modelType: "", embeddingType: "", sourceDataset: "" },
  exact: false,
  efSearch: undefined,
  hitPerEmbedding: false,
};

const index = {
  name: "i",
  method: "hnsw",
  operatorClass: "vector_cosine_ops",
  valid: true,
  partial: false,
  sizeBytes: 1n,
  parameters: { m: "16", ef_construction: "200" },
};
const state: CatalogueState = { space: undefined, index, estimatedEmbeddings: 25_000, estimatedImages: 5000 };

describe("indexScan", () => {
  test("takes the index for cosine only, and not against the caller's will", () => {
    expect(indexScan(query, state)).toMatchObject({ method: "hnsw", indexName: "i", efSearch: 200 });
    expect(indexScan({ ...query, exact: true }, state)).toBeUndefined();
    expect(indexScan(query, { ...state, index: undefined })).toBeUndefined();
    for (const metric of ["l2", "l1", "inner-product"] as const) {
      expect(indexScan({ ...query, metric }, state)).toBeUndefined();
    }
  });

  test("ef_search is never below k, which it caps, and never above pgvector's limit", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.option(fc.integer({ min: 1, max: 1000 })),
        (k, asked) => {
          const efSearch = indexScan({ ...query, k, efSearch: asked ?? undefined }, state)
            ?.efSearch as number;
          expect(efSearch).toBeGreaterThanOrEqual(k);
          expect(efSearch).toBeLessThanOrEqual(1000);
          if (asked !== null && asked >= k) expect(efSearch).toBe(asked);
        },
      ),
    );
  });

  test("a thinner index is searched wider", () => {
    expect(defaultEfSearch({ m: "16", ef_construction: "64" }, 10)).toBe(400);
    expect(defaultEfSearch({ m: "8", ef_construction: "200" }, 10)).toBe(400);
    expect(defaultEfSearch({ m: "48", ef_construction: "400" }, 10)).toBe(200);
  });
});

describe("candidates", () => {
  test("are as many as images have embeddings, and some more", () => {
    expect(firstCandidateLimit(query, state)).toBe(75);
    expect(firstCandidateLimit({ ...query, hitPerEmbedding: true }, state)).toBe(10);
    expect(firstCandidateLimit(query, { ...state, estimatedEmbeddings: 0, estimatedImages: 0 })).toBe(20);
    expect(nextCandidateLimit(75)).toBeGreaterThan(75);
  });

  test("that match a filter are compared one by one up to where the index is cheaper", () => {
    // Few rows in all: an index scan costs at least ef_search.
    expect(exactRowBound(75, 25_000, 200)).toBe(4331);
    expect(exactRowBound(20, 1000, 200)).toBe(2000);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 100_000_000 }),
        (candidates, total) => {
          const bound = exactRowBound(candidates, total, 200);
          // At the bound the index scan is expected to pass candidates * total / bound rows, ten times as dear each.
          const passed = Math.max(200, (candidates * total) / bound);
          expect(passed * 10).toBeLessThanOrEqual(bound * 1.001);
        },
      ),
    );
  });
});

test("similarity falls as distance grows, for every metric", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("cosine", "l2", "l1", "inner-product" as const),
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.double({ min: 1e-6, max: 100, noNaN: true }),
      (metric, distance, more) => {
        expect(similarityOf(metric, distance)).toBeGreaterThan(similarityOf(metric, distance + more));
      },
    ),
  );
  expect(similarityOf("cosine", 0.25)).toBe(0.75);
  expect(similarityOf("l2", 1)).toBe(0.5);
  expect(similarityOf("l1", 3)).toBe(0.25);
  expect(similarityOf("inner-product", -2)).toBe(2);
  expect(Object.is(similarityOf("inner-product", 0), 0)).toBe(true);
});
