import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { OperationState } from "@kindred/contracts/common/v1";
import { ElementType, Metric, QuerySource, SearchMethod } from "@kindred/contracts/vector-store/v1";
import { QueryRecorder } from "../src/adapters/postgres/recall-recorder.ts";
import { measureRecall, type MeasurementWish } from "../src/domain/recall/measure-recall.ts";
import type { RecallMeasurement } from "../src/domain/recall/recall.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { hasVector, keysFrom, pack } from "./items-fixture.ts";
import { randomNumbers } from "./json-collections.ts";

const ROWS = 3000;
const DIMENSIONS = 24;
const K = 10;
const INDEX = "things_hnsw";
const BATCH = 1000;

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await fixture.clear();
});

const random = randomNumbers(11);
const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
/** Without any structure: hard for an index. */
const draw = (): number[] => Array.from({ length: DIMENSIONS }, () => Math.fround(gaussian()));
const stored = Array.from({ length: ROWS }, draw);

interface Filled {
  table: string;
  name: string;
}

/** The collection "things" with all vectors. */
async function fill(
  options: {
    elementType?: ElementType;
    metric?: Metric;
    recallTarget?: number;
    dimensions?: number;
    vectorOf?: (position: number) => Uint8Array;
  } = {},
): Promise<Filled> {
  const { dimensions = DIMENSIONS, vectorOf, ...rest } = options;
  const { collection } = await fixture.collections.createCollection({
    name: "things",
    dimensions,
    metric: Metric.L2,
    // Nobody builds an index but the tests.
    indexPolicy: { maintenance: 1 },
    ...rest,
  });
  for (let first = 0; first < ROWS; first += BATCH) {
    const positions = Array.from({ length: BATCH }, (_, i) => first + i);
    const vectors = vectorOf
      ? Buffer.concat(positions.map(vectorOf))
      : pack(...positions.map((position) => stored[position] as number[]));
    await fixture.vectors.upsert({ collection: "things", items: { keys: keysFrom(first, BATCH), vectors } });
  }
  return { table: `vector_store."${collection?.table?.table}"`, name: "things" };
}

async function index(
  table: string,
  definition = "hnsw (embedding vector_l2_ops) WITH (m = 4, ef_construction = 16)",
): Promise<void> {
  await fixture.db.query(`DROP INDEX IF EXISTS vector_store.${INDEX}`);
  await fixture.db.query(`CREATE INDEX ${INDEX} ON ${table} USING ${definition}`);
  await fixture.db.query(`ANALYZE ${table}`);
  fixture.store.forgetState();
}

const distance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0);

/** Keys of the k nearest, computed here. */
function nearest(query: readonly number[], k = K): string[] {
  const keys = keysFrom(0, ROWS);
  return stored
    .map((vector, i) => ({ key: keys[i] as string, distance: distance(vector, query) }))
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, k)
    .map(({ key }) => key);
}

const ask = (query: readonly number[], options: object = {}) =>
  fixture.search.search({
    collection: "things",
    query: { case: "vector", value: { data: pack(query) } },
    k: K,
    ...options,
  });

async function tune(options: object = {}) {
  const { operation } = await fixture.recall.startRecallTuning({
    collection: "things",
    queries: 100,
    ...options,
  });
  let last = operation;
  for await (const answer of fixture.operations.watchOperation({ id: operation?.id ?? 0n }))
    last = answer.operation;
  return last;
}

const WISH: MeasurementWish = {
  indexName: INDEX,
  k: K,
  effort: 20,
  recallTarget: undefined,
  queries: 60,
  origin: "recent",
  selectivity: 1,
  maxMs: 60_000,
  confidence: 0.95,
};

/** Measures with these queries and no others. */
async function measureWith(
  queries: readonly (readonly number[])[],
  wish: Partial<MeasurementWish> = {},
): Promise<RecallMeasurement> {
  const { recall, recallProbe: probe, collections } = fixture.store;
  const samples = {
    recent: async () => queries.map((query) => pack([...query])),
    stored: async () => [],
  };
  return await measureRecall(
    { probe, samples, recall },
    await collections.get("things"),
    { ...WISH, ...wish },
    {},
  );
}

describe("with pgvector", () => {
  test("what is measured is what an independent computation finds of a scan at this effort", async () => {
    if (!hasVector(fixture)) return;
    const { table } = await fill();
    await index(table);
    const queries = Array.from({ length: 60 }, draw);
    const perQuery: number[] = [];
    for (const query of queries) {
      const { rows } = await fixture.db.transaction(
        (client) =>
          client.query<{ key: string }>(
            `SELECT key FROM ${table} ORDER BY embedding <-> $1::vector LIMIT ${K}`,
            [`[${query.join(",")}]`],
          ),
        { settings: { "hnsw.ef_search": 20, enable_seqscan: "off", enable_sort: "off" } },
      );
      const truth = new Set(nearest(query));
      perQuery.push(rows.filter(({ key }) => truth.has(key)).length / K);
    }
    const recall = perQuery.reduce((sum, value) => sum + value, 0) / perQuery.length;
    const measurement = await measureWith(queries);
    expect(measurement.recall).toBeCloseTo(recall, 9);
    // Neither nothing nor everything: a test of something.
    expect(recall).toBeGreaterThan(0.1);
    expect(recall).toBeLessThan(0.95);
    expect(measurement).toMatchObject({ queries: 60, recentQueries: 60, effort: 20, k: K, selectivity: 1 });
    expect(measurement.lower).toBeLessThan(recall);
    expect(measurement.upper).toBeGreaterThan(recall);
    expect(measurement.recallTarget).toBeUndefined();
    const { measurements } = await fixture.recall.listRecallMeasurements({ collection: "things" });
    expect(measurements.map(({ id, recall: kept }) => [id, kept])).toEqual([
      [measurement.id, measurement.recall],
    ]);
  });

  test("equal vectors count whichever of them is found", async () => {
    if (!hasVector(fixture)) return;
    // Twenty copies of each: any ten of them are the nearest.
    const { table } = await fill({ vectorOf: (position) => pack(stored[position % 150] as number[]) });
    await index(table, "hnsw (embedding vector_l2_ops) WITH (m = 16, ef_construction = 64)");
    const { recall } = await measureWith(stored.slice(0, 60), { effort: 400 });
    expect(recall).toBe(1);
  });

  test("a tuned index meets its targets with queries that it has not seen, for the least effort that does", async () => {
    if (!hasVector(fixture)) return;
    const { table } = await fill();
    await index(table);
    for (let i = 0; i < 40; i++) await ask(draw());
    await fixture.store.recent.flush();
    const operation = await tune({ queries: 200 });
    expect(operation).toMatchObject({ state: OperationState.SUCCEEDED, unit: "queries" });
    expect(operation?.result).toMatchObject({ index_name: INDEX });
    const { curves } = await fixture.recall.getRecallCurves({ collection: "things" });
    // A fiftieth of 3,000 rows is compared exactly anyway.
    expect(curves.map(({ k, filterSelectivity }) => [k, filterSelectivity])).toEqual([
      [10, 1],
      [100, 1],
      [10, 0.5],
      [10, 0.1],
    ]);
    for (const { points, queries, recentQueries, indexName } of curves) {
      expect([indexName, queries, recentQueries]).toEqual([INDEX, 200, 40]);
      for (const [i, { effort, recall, lower }] of points.entries()) {
        expect(lower).toBeLessThanOrEqual(recall);
        const before = points[i - 1];
        if (before) {
          expect(effort).toBeGreaterThan(before.effort);
          expect(recall).toBeGreaterThanOrEqual(before.recall);
        }
      }
    }
    // So few rows are compared as fast as an index is scanned.
    const exactTakes = async (ms: number): Promise<void> => {
      await fixture.db.query("UPDATE recall_curves SET exact_ms = $1", [ms]);
      fixture.store.forgetState();
    };
    await exactTakes(1e6);
    const efforts: number[] = [];
    for (const recallTarget of [0.7, 0.9, 0.97]) {
      let found = 0;
      const asked = 60;
      for (let i = 0; i < asked; i++) {
        const query = draw();
        const { hits, plan } = await ask(query, { recallTarget });
        expect(plan?.method).toBe(SearchMethod.HNSW);
        efforts.push(plan?.efSearch ?? 0);
        const truth = new Set(nearest(query));
        found += hits.filter(({ key }) => truth.has(key)).length / K / asked;
      }
      // Three standard errors of the mean of sixty: a test that is wrong once in a thousand runs would be a bad one.
      expect(found).toBeGreaterThan(recallTarget - 0.04);
    }
    const chosen = [...new Set(efforts)];
    expect(chosen).toHaveLength(3);
    expect(chosen).toEqual(chosen.toSorted((a, b) => a - b));
    const certain = { recallTarget: 0.9999 };
    expect((await ask(draw(), certain)).plan).toMatchObject({ method: SearchMethod.HNSW });
    await exactTakes(0);
    expect((await ask(draw(), certain)).plan).toMatchObject({ method: SearchMethod.EXACT });
  }, 60_000);

  test("a curve belongs to the index that was tuned: another one of its name has none, and a new name changes nothing", async () => {
    if (!hasVector(fixture)) return;
    const { table } = await fill();
    await index(table);
    await tune({ queries: 50, source: QuerySource.STORED });
    const curvesOf = async (): Promise<string[]> => {
      const { curves } = await fixture.recall.getRecallCurves({ collection: "things" });
      return [...new Set(curves.map(({ indexName }) => indexName))];
    };
    expect(await curvesOf()).toEqual([INDEX]);
    await fixture.db.query(`ALTER INDEX vector_store.${INDEX} RENAME TO ${INDEX}_renamed`);
    expect(await curvesOf()).toEqual([`${INDEX}_renamed`]);
    await fixture.db.query(`ALTER INDEX vector_store.${INDEX}_renamed RENAME TO ${INDEX}`);
    await index(table);
    expect(await curvesOf()).toEqual([]);
  });

  test("recall below the target is an event, once, and so is a target that is met again", async () => {
    if (!hasVector(fixture)) return;
    const { table } = await fill({ recallTarget: 1 });
    await index(table, "hnsw (embedding vector_l2_ops) WITH (m = 2, ef_construction = 4)");
    const { measurement } = await fixture.recall.measureRecall({ collection: "things", queries: 100 });
    expect(measurement?.upper).toBeLessThan(1);
    expect(measurement?.recallTarget).toBe(1);
    await fixture.recall.measureRecall({ collection: "things", queries: 50 });
    // Nobody asked for a target.
    await fixture.recall.measureRecall({ collection: "things", queries: 50, effort: 10 });
    const events = async () => (await fixture.recall.listRecallEvents({ collection: "things" })).events;
    expect(await events()).toMatchObject([
      {
        met: false,
        recallTarget: 1,
        collection: "things",
        indexName: INDEX,
        measurement: { id: measurement?.id },
      },
    ]);
    const [kept] = await fixture.store.recall.measurements(
      { collection: "things", indexName: undefined, beforeId: undefined, limit: 1 },
      {},
    );
    await fixture.store.recall.keepMeasurement(
      { ...(kept as RecallMeasurement), recallTarget: 1, recall: 1, lower: 0.99, upper: 1, indexOid: 1 },
      {},
    );
    expect((await events()).map(({ met }) => met)).toEqual([true, false]);
    const first = await fixture.recall.listRecallEvents({ pageSize: 1 });
    expect(first.events).toHaveLength(1);
    const second = await fixture.recall.listRecallEvents({ pageSize: 1, pageToken: first.nextPageToken });
    expect(second.events.map(({ met }) => met)).toEqual([false]);
    expect(second.nextPageToken).toBe("");
  });

  test("a measurement ends in time, with what it has", async () => {
    if (!hasVector(fixture)) return;
    const { table } = await fill();
    await index(table);
    const { measurement } = await fixture.recall.measureRecall({
      collection: "things",
      queries: 10_000,
      maxDuration: durationFromMs(1),
    });
    expect(measurement?.queries).toBeGreaterThanOrEqual(1);
    expect(measurement?.queries).toBeLessThan(ROWS);
  });

  test("one measurement of a collection at a time", async () => {
    if (!hasVector(fixture)) return;
    const { table } = await fill();
    await index(table);
    const outcomes = await Promise.allSettled([
      fixture.recall.measureRecall({ collection: "things" }),
      fixture.recall.measureRecall({ collection: "things" }),
    ]);
    // Whichever comes first is measured.
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(outcomes.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { kind: "resource-exhausted", retryAfterMs: 5000 },
    });
    await fixture.recall.measureRecall({ collection: "things", queries: 10 });
  });

  test("under a filter it is measured among the rows that pass", async () => {
    if (!hasVector(fixture)) return;
    const { table } = await fill();
    await index(table);
    const queries = Array.from({ length: 40 }, draw);
    const plain = await measureWith(queries, { effort: 10 });
    const filtered = await measureWith(queries, { effort: 10, selectivity: 0.1 });
    expect(filtered).toMatchObject({ selectivity: 0.1, queries: 40 });
    // A scan for ten rows of every tenth looks at some hundred.
    expect(filtered.recall).not.toBe(plain.recall);
    expect(filtered.recall).toBeGreaterThan(0);
  });

  test.each<[string, object, string, Partial<Parameters<typeof fill>[0]>]>([
    ["halfvec", { elementType: ElementType.HALFVEC }, "hnsw (embedding halfvec_l2_ops)", {}],
    ["the cosine", { metric: Metric.COSINE }, "hnsw (embedding vector_cosine_ops)", {}],
    ["inner products", { metric: Metric.INNER_PRODUCT }, "hnsw (embedding vector_ip_ops)", {}],
    ["IVFFlat", {}, "ivfflat (embedding vector_l2_ops) WITH (lists = 20)", {}],
    [
      "bits",
      { elementType: ElementType.BIT, metric: Metric.HAMMING, dimensions: 64 },
      "hnsw (embedding bit_hamming_ops)",
      {
        vectorOf: (position: number) => {
          const bits = randomNumbers(position);
          return Uint8Array.from({ length: 8 }, () => Math.floor(256 * bits()));
        },
      },
    ],
  ])(
    "%s can be measured and tuned",
    async (_, shape, definition, how) => {
      if (!hasVector(fixture)) return;
      const { table } = await fill({ ...shape, ...how });
      await index(table, definition);
      const { measurement } = await fixture.recall.measureRecall({ collection: "things", queries: 40 });
      expect(measurement).toMatchObject({ queries: 40, recentQueries: 0, indexName: INDEX });
      expect(measurement?.recall).toBeGreaterThan(0.2);
      expect((await tune({ queries: 50 }))?.state).toBe(OperationState.SUCCEEDED);
      const { curves } = await fixture.recall.getRecallCurves({ collection: "things" });
      expect(curves.find(({ k }) => k === 10)?.points.at(-1)?.recall).toBeGreaterThan(0.9);
    },
    60_000,
  );

  test("searches leave some of their vectors behind, the latest ones, and measurements use them", async () => {
    if (!hasVector(fixture)) return;
    const { table } = await fill();
    await index(table);
    const asked = draw();
    await ask(asked);
    // It would find itself, but for that it is left out.
    await fixture.search.search({ collection: "things", query: { case: "key", value: "key-000001" }, k: 1 });
    await fixture.store.recent.flush();
    const { rows } = await fixture.db.query<{ collection: string; vector: Buffer }>(
      "SELECT collection, vector FROM recent_queries",
    );
    expect(rows).toEqual([{ collection: "things", vector: Buffer.from(pack(asked)) }]);
    const recent = { collection: "things", queries: 20, source: QuerySource.RECENT };
    expect((await fixture.recall.measureRecall(recent)).measurement).toMatchObject({
      queries: 1,
      recentQueries: 1,
    });
    const auto = await fixture.recall.measureRecall({ collection: "things", queries: 20 });
    expect(auto.measurement).toMatchObject({ queries: 20, recentQueries: 1 });

    const collection = await fixture.store.collections.get("things");
    await using recorder = new QueryRecorder(fixture.db, { keep: 3 });
    for (let i = 0; i < 5; i++) {
      recorder.note(collection, pack(draw()));
      await recorder.flush();
    }
    // Of a collection that is gone by then.
    recorder.note({ ...collection, name: "gone" }, pack(asked));
    recorder.note(collection, pack(asked));
    await recorder.flush();
    const { rows: kept } = await fixture.db.query<{ vector: Buffer }>(
      "SELECT vector FROM recent_queries ORDER BY id DESC",
    );
    expect(kept).toHaveLength(3);
    expect(kept[0]?.vector).toEqual(Buffer.from(pack(asked)));
  });

  test("what cannot be measured is said at once", async () => {
    if (!hasVector(fixture)) return;
    const { table } = await fill();
    const measure = (options: object = {}) =>
      errorOf(fixture.recall.measureRecall({ collection: "things", ...options }));
    expect(await measure()).toMatchObject({ kind: "failed-precondition" });
    expect(await errorOf(fixture.recall.startRecallTuning({ collection: "things" }))).toMatchObject({
      kind: "failed-precondition",
    });
    await index(table);
    expect(await measure({ indexName: "nothing" })).toMatchObject({ kind: "not-found" });
    expect(await measure({ source: QuerySource.RECENT })).toMatchObject({ kind: "failed-precondition" });
    expect(await measure({ collection: "nobody" })).toMatchObject({ kind: "not-found" });
    await index(table, "hnsw (embedding vector_cosine_ops)");
    expect((await measure()).message).toContain("StartIndexBuild");
    // An index for another metric than the collection's is measured by its own.
    const { measurement } = await fixture.recall.measureRecall({
      collection: "things",
      indexName: INDEX,
      queries: 20,
    });
    expect(measurement?.recall).toBeGreaterThan(0.5);
  });
});

test("a recorder that cannot write costs nobody anything", async () => {
  const refused = new Error("cannot execute INSERT in a read-only transaction");
  const db = {
    ...fixture.db,
    logger: fixture.db.logger,
    transaction: () => Promise.reject(refused),
  };
  await using recorder = new QueryRecorder(db, { keep: 10 });
  recorder.note(await fixture.store.collections.get("images"), new Uint8Array(1536));
  await expect(recorder.flush()).resolves.toBeUndefined();
});
