import { describe, expect, test } from "@jest/globals";
import { isKindredError, type KindredError } from "@kindred/errors";
import { imagesLayout } from "../layout.ts";
import type { Collection } from "../collection.ts";
import { AUTO_POLICY } from "../index-policy.ts";
import type { IndexFacts, ServerFacts, TimedBuild } from "./index-facts.ts";
import type { IndexPlan } from "./index-ports.ts";
import { ANY_INDEX, type IndexWish } from "./index-spec.ts";
import { indexPlanner } from "./plan-index.ts";

const COLLECTION: Collection = {
  name: "songs",
  kind: "managed",
  dimensions: 384,
  elementType: "vector",
  metric: "cosine",
  space: undefined,
  recallTarget: 0.95,
  indexPolicy: AUTO_POLICY,
  textSearchConfig: undefined,
  hashPartitions: undefined,
  reembeddingSpaceId: undefined,
  layout: imagesLayout("vector_store", "vector"),
  createdAt: new Date(0),
};
const SERVER: ServerFacts = {
  vectorVersion: "0.8.4",
  soundVectorVersion: undefined,
  vectorscale: false,
  maintenanceWorkMem: 64 * 2 ** 20,
  parallelWorkers: 2,
  minParallelBytes: 8 * 2 ** 20,
  online: true,
};
const GIB = 2 ** 30;

interface Case {
  collection?: Partial<Collection>;
  wish?: Partial<IndexWish>;
  rows?: number;
  recallTarget?: number;
  server?: Partial<ServerFacts>;
  memoryBytes?: number;
  earlier?: TimedBuild[];
  calibrate?: boolean;
}

/** What a sample took: ten times what the model says, so that it shows. */
const SAMPLE_MS = 9000;

function facts({ rows = 100_000, server, earlier = [] }: Case, sampled: number[]): IndexFacts {
  return {
    table: async () => ({
      rows,
      heapBytes: rows * 1600,
      liveTuples: rows,
      deadTuples: 0,
      changes: rows,
      analyzed: true,
    }),
    server: async () => ({ ...SERVER, ...server }),
    earlierBuilds: async (_collection, { method, type }) =>
      earlier.filter((build) => build.spec.method === method && build.type === type),
    sampleBuild: async ({ dimensions }, spec, count) => {
      sampled.push(count);
      const type = spec.quantization === "halfvec" ? "halfvec" : "vector";
      return { spec, type, rows: count, dimensions, workers: 0, online: false, ms: SAMPLE_MS };
    },
  };
}

async function planFor(input: Case): Promise<IndexPlan & { sampled: number[] }> {
  const sampled: number[] = [];
  const { memoryBytes = 4 * GIB, recallTarget = 0.95, calibrate = false } = input;
  const planner = indexPlanner({ facts: facts(input, sampled), minRows: 10_000, memoryBytes, cores: 2 });
  const collection = { ...COLLECTION, ...input.collection };
  const wish = { ...ANY_INDEX, ...input.wish };
  return {
    ...(await planner.plan(collection, wish, { recallTarget, rows: undefined, calibrate }, {})),
    sampled,
  };
}

describe("what is chosen where nobody says", () => {
  test.each<[string, Case, object | undefined]>([
    [
      "HNSW of halves",
      {},
      { method: "hnsw", quantization: "halfvec", m: 16, efConstruction: 200, metric: "cosine" },
    ],
    ["more effort for more recall", { recallTarget: 0.99 }, { method: "hnsw", m: 24, efConstruction: 400 }],
    ["none for few rows", { rows: 9999 }, undefined],
    [
      "halves as they are",
      { collection: { elementType: "halfvec" } },
      { method: "hnsw", quantization: "none" },
    ],
    [
      "bits as they are",
      { collection: { elementType: "bit", metric: "hamming", dimensions: 8192 } },
      { method: "hnsw", quantization: "none", metric: "hamming" },
    ],
    [
      "bits of what is too wide",
      { collection: { dimensions: 8192 } },
      { method: "hnsw", quantization: "binary" },
    ],
    ["halves at their limit", { collection: { dimensions: 4000 } }, { quantization: "halfvec" }],
    ["IVFFlat where a graph is far too large", { rows: 10_000_000, memoryBytes: GIB }, { method: "ivfflat" }],
    [
      "a list for 1,000 rows",
      { wish: { method: "ivfflat" } },
      { method: "ivfflat", lists: 100, quantization: "halfvec" },
    ],
    ["the square root above a million", { wish: { method: "ivfflat" }, rows: 4_000_000 }, { lists: 2000 }],
    ["of twelve million songs", { wish: { method: "ivfflat" }, rows: 12_000_000 }, { lists: 3464 }],
    [
      "of what was built with 3,525 lists",
      { wish: { method: "ivfflat" }, rows: 12_425_000 },
      { lists: 3525 },
    ],
    ["an m that is wished for", { wish: { method: "hnsw", m: 48 } }, { m: 48, efConstruction: 200 }],
    [
      "m below half of ef_construction",
      { wish: { method: "hnsw", efConstruction: 20 } },
      { m: 10, efConstruction: 20 },
    ],
    [
      "the policy's kind and numbers",
      { collection: { indexPolicy: { ...AUTO_POLICY, kind: "ivfflat", lists: 7 } } },
      { method: "ivfflat", lists: 7 },
    ],
    [
      "the policy's quantization",
      { collection: { indexPolicy: { ...AUTO_POLICY, quantization: "none" } } },
      { method: "hnsw", quantization: "none" },
    ],
    [
      "the policy's m",
      { collection: { indexPolicy: { ...AUTO_POLICY, m: 120 / 4 } } },
      { m: 30, efConstruction: 200 },
    ],
    ["another metric", { wish: { metric: "l1" } }, { method: "hnsw", quantization: "halfvec", metric: "l1" }],
    [
      "DiskANN on wish",
      { wish: { method: "diskann" }, server: { vectorscale: true } },
      { method: "diskann", quantization: "none", numNeighbors: undefined },
    ],
  ])("%s", async (_name, input, spec) => {
    const { chosen, reasons } = await planFor(input);
    if (spec) expect(chosen?.spec).toMatchObject(spec);
    else expect(chosen).toBeUndefined();
    expect(reasons.length).toBeGreaterThan(0);
  });

  test("where there should be none, the first alternative is what would be built all the same", async () => {
    const few = await planFor({ rows: 50 });
    expect(few.chosen).toBeUndefined();
    expect(few.reasons[0]).toContain("50 rows are fewer than 10000");
    expect(few.alternatives[0]?.spec).toMatchObject({ method: "hnsw", quantization: "halfvec" });
    const never = await planFor({ collection: { indexPolicy: { ...AUTO_POLICY, kind: "none" } } });
    expect(never.chosen).toBeUndefined();
    expect((await planFor({ rows: 50, wish: { method: "hnsw" } })).chosen?.spec.method).toBe("hnsw");
    expect(
      (await planFor({ rows: 50, collection: { indexPolicy: { ...AUTO_POLICY, minRows: 50 } } })).chosen,
    ).toBeDefined();
  });

  test("as many lists as k-means has memory for", async () => {
    const { chosen, reasons } = await planFor({
      wish: { method: "ivfflat" },
      rows: 10 ** 9,
      memoryBytes: 2 ** 28,
    });
    expect(chosen?.spec).toMatchObject({ method: "ivfflat" });
    expect(reasons.join()).toContain("k-means of 31623 lists takes more memory than a build may have");
    expect(chosen?.buildMemoryBytes).toBeLessThanOrEqual(2 ** 28);
    expect(chosen?.buildMemoryBytes).toBeGreaterThan(2 ** 27);
  });

  test("alternatives are all that could be had, each once", async () => {
    const { chosen, alternatives } = await planFor({ server: { vectorscale: true } });
    const names = [chosen, ...alternatives].map((each) => `${each?.spec.method} ${each?.spec.quantization}`);
    expect(names).toEqual([
      "hnsw halfvec",
      "hnsw none",
      "hnsw binary",
      "ivfflat halfvec",
      "ivfflat none",
      "ivfflat binary",
      "diskann none",
    ]);
  });
});

describe("what cannot be had names its field", () => {
  test.each<[string, Case]>([
    [
      "spec.quantization",
      { wish: { quantization: "none", method: "hnsw" }, collection: { dimensions: 2001 } },
    ],
    ["spec.quantization", { wish: { quantization: "halfvec" }, collection: { dimensions: 4001 } }],
    [
      "spec.quantization",
      { wish: { quantization: "binary" }, collection: { elementType: "bit", metric: "hamming" } },
    ],
    ["spec.quantization", { wish: { quantization: "halfvec" }, collection: { elementType: "halfvec" } }],
    [
      "spec.quantization",
      { wish: { method: "diskann", quantization: "halfvec" }, server: { vectorscale: true } },
    ],
    ["spec.kind", { wish: { method: "diskann" } }],
    [
      "spec.kind",
      { wish: { method: "diskann" }, server: { vectorscale: true }, collection: { elementType: "halfvec" } },
    ],
    ["spec.metric", { wish: { method: "ivfflat", quantization: "none", metric: "l1" } }],
    ["spec.metric", { wish: { metric: "hamming" } }],
    ["spec.metric", { wish: { method: "ivfflat" }, collection: { elementType: "bit", metric: "jaccard" } }],
  ])("%s of %j", async (field, input) => {
    const error = await planFor(input).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(isKindredError(error)).toBe(true);
    expect((error as KindredError).kind).toBe("invalid-argument");
    expect((error as KindredError).violations.map((each) => each.field)).toEqual([field]);
  });

  test("vectors in JSON are a matter of the database", async () => {
    const layout = imagesLayout("vector_store", "json");
    await expect(planFor({ collection: { layout } })).rejects.toMatchObject({ kind: "failed-precondition" });
  });
});

describe("how long it takes", () => {
  const earlier: TimedBuild = {
    spec: { method: "hnsw", m: 16, efConstruction: 200, quantization: "halfvec", metric: "cosine" },
    type: "halfvec",
    rows: 50_000,
    dimensions: 384,
    workers: 1,
    online: true,
    ms: 60_000,
  };

  test("goes by a sample where no build is known, and the table is large or somebody asks", async () => {
    expect((await planFor({ rows: 19_999 })).sampled).toEqual([]);
    const [guessed, measured] = [
      await planFor({ rows: 100_000, server: { online: false } }),
      await planFor({ rows: 100_000 }),
    ];
    expect(guessed).toMatchObject({ sampled: [], chosen: { calibrated: false } });
    expect(measured).toMatchObject({ sampled: [3000], chosen: { calibrated: true } });
    expect(measured.chosen?.buildMs).toBeGreaterThan(2 * (guessed.chosen?.buildMs ?? Infinity));
    expect((await planFor({ rows: 12_000, calibrate: true })).sampled).toEqual([3000]);
  });

  test("goes by earlier builds, the more so the slower they were", async () => {
    const first = await planFor({ earlier: [earlier] });
    expect(first).toMatchObject({ sampled: [], chosen: { calibrated: true } });
    // Twice the rows take about twice the time.
    expect(first.chosen?.buildMs).toBeGreaterThan(1.8 * earlier.ms);
    expect(first.chosen?.buildMs).toBeLessThan(2.8 * earlier.ms);
    const slower = await planFor({ earlier: [{ ...earlier, ms: 3 * earlier.ms }] });
    expect(slower.chosen?.buildMs).toBeCloseTo(3 * (first.chosen?.buildMs ?? 0), 0);
    // Those of another type tell nothing of it.
    expect(first.alternatives.filter(({ calibrated }) => calibrated)).toEqual([]);
  });

  test("says what memory is missing", async () => {
    const { chosen } = await planFor({ rows: 2_000_000, memoryBytes: GIB });
    expect(chosen?.spec.method).toBe("hnsw");
    expect(chosen?.reasons.join(" ")).toMatch(/needs .* GB of memory, .* raise INDEX_BUILD_MEMORY/);
  });
});
