import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ElementType } from "../collection.ts";
import { modelBuildMs } from "./build-time.ts";
import { buildMemoryBytes, indexBytes, kmeansSamples, type IndexShape } from "./index-size.ts";
import type { IndexSpec } from "./index-spec.ts";

const spec = fc.oneof(
  fc
    .record({ m: fc.integer({ min: 2, max: 100 }), extra: fc.integer({ min: 0, max: 800 }) })
    .map(({ m, extra }): IndexSpec => ({
      method: "hnsw",
      m,
      efConstruction: Math.min(1000, 2 * m + extra),
      quantization: "none",
      metric: "cosine",
    })),
  fc
    .integer({ min: 1, max: 5000 })
    .map((lists): IndexSpec => ({ method: "ivfflat", lists, quantization: "none", metric: "cosine" })),
  fc.integer({ min: 10, max: 200 }).map((numNeighbors): IndexSpec => ({
    method: "diskann",
    numNeighbors,
    searchListSize: undefined,
    quantization: "none",
    metric: "cosine",
  })),
);
const shape = fc.record({
  rows: fc.integer({ min: 1, max: 10_000_000 }),
  dimensions: fc.integer({ min: 2, max: 1500 }),
  elementType: fc.constantFrom<ElementType>("vector", "halfvec", "bit"),
});
const alone = { processes: 1, memoryBytes: 1, neededBytes: 1 };

/** A smaller and a larger one. */
const growing = (more: (shape: IndexShape, by: number) => IndexShape) =>
  fc
    .record({ shape, by: fc.integer({ min: 1, max: 10_000 }) })
    .map((drawn) => [drawn.shape, more(drawn.shape, drawn.by)] as const);

describe("forecasts are finite, positive whole bytes, and never fall", () => {
  test.each([
    ["with rows", growing((from, by) => ({ ...from, rows: from.rows + by * 10 }))],
    [
      "with dimensions",
      growing((from, by) => ({ ...from, dimensions: Math.min(2000, from.dimensions + (by % 500)) })),
    ],
  ])("%s", (_name, pairs) => {
    fc.assert(
      fc.property(spec, pairs, (drawn, [small, large]) => {
        // vectorscale takes one bit a number and not two from 900 dimensions on: there an index becomes smaller.
        if (drawn.method === "diskann" && small.dimensions < 900 && large.dimensions >= 900) return;
        for (const forecast of [indexBytes, buildMemoryBytes]) {
          const [less, more] = [forecast(drawn, small), forecast(drawn, large)];
          expect(less).toBeGreaterThan(0);
          expect(Number.isSafeInteger(more)).toBe(true);
          expect(more).toBeGreaterThanOrEqual(less);
        }
        expect(modelBuildMs(drawn, large, alone)).toBeGreaterThanOrEqual(modelBuildMs(drawn, small, alone));
      }),
      { numRuns: 60 },
    );
  });

  test("by quantization: halves are smaller than whole vectors, and bits than halves", () => {
    const hnsw = { method: "hnsw", m: 16, efConstruction: 200, metric: "cosine" } as const;
    const of = { rows: 100_000, dimensions: 768, elementType: "vector" } as const;
    const [none, halfvec, binary] = (["none", "halfvec", "binary"] as const).map((quantization) =>
      indexBytes({ ...hnsw, quantization }, of),
    ) as [number, number, number];
    expect(halfvec).toBeLessThan(0.7 * none);
    expect(binary).toBeLessThan(0.3 * halfvec);
  });
});

test("several processes are quicker, and too little memory takes many times as long", () => {
  const hnsw: IndexSpec = {
    method: "hnsw",
    m: 16,
    efConstruction: 200,
    quantization: "none",
    metric: "cosine",
  };
  const of = { rows: 1_000_000, dimensions: 384, elementType: "vector" } as const;
  const ms = modelBuildMs(hnsw, of, alone);
  expect(modelBuildMs(hnsw, of, { ...alone, processes: 4 })).toBeLessThan(ms / 2);
  expect(modelBuildMs(hnsw, of, { ...alone, memoryBytes: 1, neededBytes: 2 })).toBeGreaterThan(4 * ms);
});

test("k-means samples 50 rows a list, at least 10,000, and none twice", () => {
  const lists: IndexSpec = { method: "ivfflat", lists: 6, quantization: "none", metric: "cosine" };
  const few: IndexShape = { rows: 100, dimensions: 2000, elementType: "vector" };
  // pgvector 0.8.2 says "memory required is 77 MB" of such a build.
  expect(Math.floor(buildMemoryBytes(lists, few) / 2 ** 20)).toBeGreaterThanOrEqual(76);
  expect([kmeansSamples(500, 10), kmeansSamples(50_000, 50), kmeansSamples(10 ** 6, 1000)]).toEqual([
    500, 10_000, 50_000,
  ]);
});

// Captions of COCO, 25,014 x 384, as pgvector 0.8.2 built them.
test.each([
  ["vector", "none", 51.3],
  ["vector", "halfvec", 29.3],
] as const)("%s with quantization %s takes what it took", (elementType, quantization, megabytes) => {
  const bytes = indexBytes(
    { method: "hnsw", m: 16, efConstruction: 200, quantization, metric: "cosine" },
    { rows: 25_014, dimensions: 384, elementType },
  );
  expect(Math.abs(bytes / 1e6 / megabytes - 1)).toBeLessThan(0.02);
});
