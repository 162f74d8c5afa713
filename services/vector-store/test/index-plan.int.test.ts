import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ElementType, IndexKind, IndexQuantization, Metric } from "@kindred/contracts/vector-store/v1";
import { indexBytes } from "../src/domain/indexes/index-size.ts";
import type { IndexSpec, Quantization } from "../src/domain/indexes/index-spec.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { batchFrom, hasVector } from "./items-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

/** How far a forecast may be off. */
const TOLERANCE = 0.15;

type Case = [type: "vector" | "halfvec" | "bit", dimensions: number, rows: number, spec: Partial<IndexSpec>];

const CASES: Case[] = [
  ["vector", 8, 3000, { method: "hnsw", m: 16 }],
  ["vector", 8, 3000, { method: "ivfflat", lists: 30 }],
  ["vector", 100, 2000, { method: "hnsw", m: 8 }],
  ["vector", 384, 1500, { method: "hnsw", m: 16 }],
  ["vector", 384, 1500, { method: "hnsw", m: 32 }],
  ["vector", 384, 1500, { method: "hnsw", m: 16, quantization: "halfvec" }],
  ["vector", 384, 1500, { method: "hnsw", m: 16, quantization: "binary" }],
  ["vector", 384, 1500, { method: "ivfflat", lists: 15 }],
  ["vector", 768, 800, { method: "hnsw", m: 64 }],
  ["vector", 768, 800, { method: "ivfflat", lists: 8, quantization: "halfvec" }],
  ["vector", 1536, 500, { method: "hnsw", m: 16 }],
  ["vector", 1536, 500, { method: "hnsw", m: 16, quantization: "halfvec" }],
  ["vector", 1536, 500, { method: "diskann" }],
  ["vector", 384, 1500, { method: "diskann" }],
  ["halfvec", 3000, 300, { method: "hnsw", m: 16 }],
  ["halfvec", 3000, 300, { method: "ivfflat", lists: 3 }],
  ["bit", 8192, 500, { method: "hnsw", m: 16 }],
  ["bit", 8192, 500, { method: "ivfflat", lists: 5 }],
];

const CASTS: Record<Quantization, (dimensions: number) => string> = {
  none: () => "e",
  halfvec: (dimensions) => `(e::halfvec(${dimensions}))`,
  binary: (dimensions) => `(binary_quantize(e)::bit(${dimensions}))`,
};

describe("the forecast of a size is right within 15 %", () => {
  test.each(CASES)("%s of %d dimensions, %d rows, %j", async (type, dimensions, rows, wanted) => {
    const { db } = fixture;
    if (!hasVector(fixture)) return;
    if (wanted.method === "diskann" && !(await vectorscale())) return;
    const spec = { quantization: "none", metric: "cosine", efConstruction: 64, ...wanted } as IndexSpec;
    const held = spec.quantization === "binary" ? "bit" : spec.quantization === "halfvec" ? "halfvec" : type;
    const operators = held === "bit" ? "bit_hamming_ops" : `${held}_cosine_ops`;
    const options =
      spec.method === "hnsw"
        ? `WITH (m = ${spec.m}, ef_construction = ${Math.max(64, 2 * spec.m)})`
        : spec.method === "ivfflat"
          ? `WITH (lists = ${spec.lists})`
          : "";
    await db.query("DROP TABLE IF EXISTS public.sized");
    await db.query(`CREATE TABLE public.sized (e ${type}(${dimensions}))`);
    const vector =
      type === "bit"
        ? `(SELECT string_agg((random() > 0.5)::int::text, '') FROM generate_series(1, ${dimensions}) WHERE i > 0)::bit(${dimensions})`
        : `(SELECT array_agg(random() - 0.5) FROM generate_series(1, ${dimensions}) WHERE i > 0)::float4[]::${type}`;
    await db.query(`INSERT INTO public.sized SELECT ${vector} FROM generate_series(1, ${rows}) AS i`);
    await db.query(
      `CREATE INDEX sized_idx ON public.sized USING ${spec.method} (${CASTS[spec.quantization](dimensions)} ${operators}) ${options}`,
    );
    const { rows: found } = await db.query<{ bytes: string }>(
      "SELECT pg_relation_size('public.sized_idx') AS bytes",
    );
    const ratio = indexBytes(spec, { rows, dimensions, elementType: type }) / Number(found[0]?.bytes);
    expect(ratio).toBeGreaterThan(1 - TOLERANCE);
    expect(ratio).toBeLessThan(1 + TOLERANCE);
  });
});

async function vectorscale(): Promise<boolean> {
  try {
    await fixture.db.query("CREATE EXTENSION IF NOT EXISTS vectorscale CASCADE");
    await fixture.db.refreshCapabilities();
    return true;
  } catch {
    process.stderr.write("not run: needs vectorscale\n");
    return false;
  }
}

describe("PlanIndex", () => {
  const ROWS = 2500;
  beforeAll(async () => {
    if (!hasVector(fixture)) return;
    await fixture.collections.createCollection({ name: "songs", dimensions: 32 });
    for (let first = 0; first < ROWS; first += 500)
      await fixture.vectors.upsert({ collection: "songs", items: batchFrom(first, 500, 32) });
    await fixture.db.query("ANALYZE");
  }, 60_000);

  test("says that there should be none for few rows, and what would be built all the same", async () => {
    if (!hasVector(fixture)) return;
    const plan = await fixture.index.planIndex({ collection: "songs" });
    expect(plan.chosen).toBeUndefined();
    expect(plan.reasons[0]).toContain("fewer than 10000");
    expect(Number(plan.rows)).toBeGreaterThan(0.9 * ROWS);
    expect(plan.alternatives[0]?.spec).toMatchObject({
      kind: IndexKind.HNSW,
      quantization: IndexQuantization.HALFVEC,
      metric: Metric.COSINE,
      m: 16,
      efConstruction: 200,
    });
  });

  test("plans for more rows than there are, with preflight and alternatives", async () => {
    if (!hasVector(fixture)) return;
    const plan = await fixture.index.planIndex({ collection: "songs", rows: 1_000_000n });
    expect(plan.chosen?.spec?.kind).toBe(IndexKind.HNSW);
    expect(plan.chosen?.sizeBytes).toBeGreaterThan(10n ** 8n);
    expect(plan.chosen?.buildMemoryBytes).toBeGreaterThan(10n ** 8n);
    expect(Number(plan.chosen?.buildTime?.seconds)).toBeGreaterThan(10);
    expect(plan.preflight.map(({ name }) => name)).toContain("maintenance_work_mem");
    expect(plan.alternatives.map(({ spec }) => spec?.kind)).toContain(IndexKind.IVFFLAT);
  });

  test("builds a sample where it is asked to, and leaves nothing of it", async () => {
    if (!hasVector(fixture)) return;
    const spec = { kind: IndexKind.IVFFLAT };
    const plan = await fixture.index.planIndex({ collection: "songs", spec, calibrate: true });
    expect(plan.chosen).toMatchObject({ calibrated: true, spec: { kind: IndexKind.IVFFLAT } });
    expect(plan.chosen?.reasons.join(" ")).toMatch(/going by a build of \d+ sampled rows/);
    const { rows } = await fixture.db.query(
      "SELECT 1 FROM pg_class WHERE relname LIKE 'kindred_index_sample%'",
    );
    expect(rows).toEqual([]);
  });

  test("goes by builds that were timed", async () => {
    if (!hasVector(fixture)) return;
    await fixture.db.query(
      `INSERT INTO index_builds (collection, index_name, index_oid, spec, rows, size_bytes, build_ms, workers, dimensions)
       VALUES ('songs', 'x', 1, '{"method": "hnsw", "quantization": "halfvec", "metric": "cosine", "m": 16, "ef_construction": 200}',
               100000, 1, 3600000, 0, 32)`,
    );
    const spec = { kind: IndexKind.HNSW };
    const plan = await fixture.index.planIndex({ collection: "songs", spec, rows: 100_000n });
    expect(plan.chosen?.calibrated).toBe(true);
    const seconds = Number(plan.chosen?.buildTime?.seconds);
    expect(seconds).toBeGreaterThan(1800);
    expect(seconds).toBeLessThanOrEqual(3600);
    await fixture.db.query("DELETE FROM index_builds");
  });

  test.each<[string, object]>([
    ["collection", { collection: "Songs" }],
    ["recall_target", { recallTarget: 1.5 }],
    ["rows", { rows: -1n }],
    ["spec.lists", { spec: { lists: 40_000 } }],
    ["spec.lists", { spec: { kind: IndexKind.HNSW, lists: 4 } }],
    ["spec.kind", { spec: { kind: IndexKind.NONE } }],
    ["spec.metric", { collection: "songs", spec: { metric: Metric.HAMMING } }],
  ])("refuses a bad %s: %j", async (field, request) => {
    if (!hasVector(fixture)) return;
    const error = await errorOf(fixture.index.planIndex(request));
    expect([error.kind, error.violations.map((each) => each.field)]).toEqual(["invalid-argument", [field]]);
  });

  test("of a collection that is not there is NOT_FOUND", async () => {
    expect((await errorOf(fixture.index.planIndex({ collection: "nowhere" }))).kind).toBe("not-found");
  });
});

test("a policy is kept with all of its members, and changed by a mask of some", async () => {
  if (!hasVector(fixture)) return;
  const { collections } = fixture;
  await collections.createCollection({
    name: "bits",
    dimensions: 64,
    elementType: ElementType.BIT,
    indexPolicy: { kind: IndexKind.HNSW, m: 24, minRows: 77n, maintenance: 1 },
  });
  const changed = await collections.updateCollection({
    collection: { name: "bits", indexPolicy: { minRows: 0n, maintenance: 2 } },
    updateMask: { paths: ["index_policy.min_rows", "index_policy.maintenance"] },
  });
  expect(changed.collection?.indexPolicy).toMatchObject({
    m: 24,
    minRows: 0n,
    maintenance: 2,
    kind: IndexKind.HNSW,
  });
  const refused = await errorOf(
    collections.updateCollection({
      collection: { name: "bits", indexPolicy: { quantization: IndexQuantization.BINARY } },
      updateMask: { paths: ["index_policy.quantization"] },
    }),
  );
  expect(refused.violations.map(({ field }) => field)).toEqual(["collection.index_policy.quantization"]);
});
