import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { OperationState } from "@kindred/contracts/common/v1";
import {
  AdviceSeverity,
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  Metric,
  type IndexAdvice,
} from "@kindred/contracts/vector-store/v1";
import { indexFacts } from "../src/adapters/postgres/index-facts.ts";
import { keepIndexes, noActivity, type KeepIndexesDeps } from "../src/domain/indexes/keep-indexes.ts";
import type { Operation } from "../src/domain/operations/operation.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { batchFrom } from "./items-fixture.ts";

let fixture: Fixture;
const ROWS = 1500;
const DIMENSIONS = 8;

beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

let table = "";
beforeEach(async () => {
  await fixture.clear();
  await fixture.db.query("DELETE FROM operations");
});

type Policy = NonNullable<Parameters<Fixture["collections"]["createCollection"]>[0]["indexPolicy"]>;

async function fill(policy: Policy = {}, rows = ROWS): Promise<void> {
  await fixture.collections.createCollection({ name: "songs", dimensions: DIMENSIONS, indexPolicy: policy });
  for (let first = 0; first < rows; first += 500)
    await fixture.vectors.upsert({ collection: "songs", items: batchFrom(first, 500, DIMENSIONS) });
  const { rows: found } = await fixture.db.query<{ id: number }>(
    "SELECT id FROM collections WHERE name = 'songs'",
  );
  table = `collection_${found[0]?.id}_vectors`;
  await fixture.db.query(`ANALYZE ${table}`);
  fixture.store.forgetState();
}

async function advice(): Promise<IndexAdvice[]> {
  return (await fixture.index.adviseIndexes({ collection: "songs" })).advice;
}
const rules = async (): Promise<string[]> => (await advice()).map(({ rule }) => rule);
const of = async (rule: string): Promise<IndexAdvice | undefined> =>
  (await advice()).find((each) => each.rule === rule);

const whereOnline = (body: () => Promise<void>) => async (): Promise<void> => {
  if (fixture.db.capabilities.createIndexConcurrently) return await body();
  process.stderr.write(
    `not run, because this server has one session for everybody: ${expect.getState().currentTestName}\n`,
  );
};

const indexed = (name: string, using = "hnsw (embedding vector_cosine_ops)"): Promise<unknown> =>
  fixture.db.query(`CREATE INDEX ${name} ON ${table} USING ${using}`);

/** As though the store had built it. */
async function owned(name: string, using: string, rows: number, spec: object): Promise<void> {
  await indexed(name, using);
  await fixture.db.query(
    `INSERT INTO index_builds (collection, index_name, index_oid, spec, rows, size_bytes, build_ms, workers, dimensions)
     VALUES ('songs', $1, to_regclass($1)::oid::bigint, $2, $3, 1, 1, 0, $4)`,
    [name, JSON.stringify(spec), rows, DIMENSIONS],
  );
}

async function tuned(name: string, rows: number, recall: number): Promise<void> {
  await fixture.db.query(
    `INSERT INTO recall_curves (collection, index_name, index_oid, k, selectivity, points, exact_ms, queries, recent_queries, rows)
     VALUES ('songs', $1, to_regclass($1)::oid::bigint, 10, 1, $2, 50, 100, 0, $3)`,
    [name, JSON.stringify([{ effort: 100, recall, lower: recall - 0.01, ms: 1 }]), rows],
  );
}

describe("advice", () => {
  test("about a missing index, from so many rows on as the policy says", async () => {
    await fill({ minRows: 1501n });
    expect(await rules()).not.toContain("missing-index");
    await fixture.collections.updateCollection({
      collection: { name: "songs", indexPolicy: { minRows: 1500n } },
      updateMask: { paths: ["index_policy.min_rows"] },
    });
    expect(await of("missing-index")).toMatchObject({
      severity: AdviceSeverity.WARNING,
      remedy: "kindred index create songs",
      automatic: fixture.db.capabilities.createIndexConcurrently,
      message: expect.stringContaining("1500 rows"),
    });
  });

  test.each<[string, Policy]>([
    ["by hand", { maintenance: IndexMaintenance.MANUAL }],
    ["none", { kind: IndexKind.NONE }],
  ])("is gentle where the policy is %s", async (_name, policy) => {
    await fill({ ...policy, minRows: 100n });
    expect(await of("missing-index")).toMatchObject({ severity: AdviceSeverity.INFO, automatic: false });
  });

  test("about what an interrupted build has left", async () => {
    await fill();
    await indexed("broken");
    await fixture.db.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass");
    expect((await advice())[0]).toMatchObject({
      rule: "invalid-index",
      severity: AdviceSeverity.CRITICAL,
      indexName: "broken",
      remedy: "DROP INDEX CONCURRENTLY vector_store.broken",
      automatic: false,
    });
  });

  test("about an index of another metric", async () => {
    await fill({ minRows: 100n });
    await indexed("distances", "hnsw (embedding vector_l2_ops)");
    expect(await of("index-of-other-metric")).toMatchObject({ indexName: "distances" });
    expect(await rules()).not.toContain("missing-index");
    await indexed("angles");
    expect(await rules()).not.toContain("index-of-other-metric");
  });

  test("about lists for another number of rows, and about centres of fewer rows", async () => {
    await fill();
    await indexed("lists", "ivfflat (embedding vector_cosine_ops) WITH (lists = 20)");
    expect(await of("list-drift")).toMatchObject({
      message: expect.stringMatching(/20 lists for 1500 rows.*; 2 would be right/),
      remedy: "kindred index create songs --kind ivfflat --lists 2",
      automatic: false,
    });
    await fixture.db.query("DROP INDEX lists");
    await owned("lists", "ivfflat (embedding vector_cosine_ops) WITH (lists = 2)", 700, {
      method: "ivfflat",
      lists: 2,
    });
    expect(await of("list-drift")).toMatchObject({
      message: expect.stringContaining("700 when it was built"),
      remedy: "kindred index rebuild songs --index lists",
    });
  });

  test(
    "about dead rows, by VACUUM, and by building a graph again where half of them are dead",
    whereOnline(async () => {
      await fill();
      await fixture.db.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
      const changeAll = (): Promise<unknown> =>
        fixture.db.transaction(async (client) => {
          await client.query(`UPDATE ${table} SET updated_at = now()`);
          await client.query("SELECT pg_stat_force_next_flush()");
        });
      await changeAll();
      await until(async () => (await of("dead-tuples")) !== undefined);
      expect(await of("dead-tuples")).toMatchObject({
        remedy: `VACUUM (ANALYZE) vector_store.${table}`,
        message: expect.stringMatching(/\d+ % of the rows are dead/),
      });
      await changeAll();
      await indexed("graph");
      await until(async () => (await of("dead-tuples"))?.indexName === "graph");
      expect(await of("dead-tuples")).toMatchObject({ remedy: "kindred index rebuild songs --index graph" });
    }),
  );

  test("about recall, and about tuning", async () => {
    await fill();
    await indexed("graph");
    expect(await of("never-tuned")).toMatchObject({ remedy: "kindred recall tune songs --index graph" });
    await tuned("graph", 1000, 0.99);
    expect(await of("stale-tuning")).toMatchObject({
      message: expect.stringContaining("tuned at 1000 rows"),
    });
    expect(await rules()).not.toContain("never-tuned");
    await fixture.db.query("UPDATE recall_curves SET rows = 1400");
    expect(await rules()).not.toContain("stale-tuning");
    expect(await rules()).not.toContain("recall-below-target");
    await fixture.db.query(
      `INSERT INTO recall_measurements (collection, index_name, index_oid, k, effort, selectivity, recall, lower, upper, confidence,
         queries, recent_queries, index_ms, exact_ms, recall_target, rows)
       VALUES ('songs', 'graph', to_regclass('graph')::oid::bigint, 10, 40, 1, 0.8, 0.75, 0.85, 0.95, 100, 0, 1, 2, 0.95, 1500)`,
    );
    expect(await of("recall-below-target")).toMatchObject({
      severity: AdviceSeverity.WARNING,
      message: expect.stringContaining("0.8000 (at most 0.8500)"),
    });
  });

  test("about a target that no effort reaches", async () => {
    await fill();
    await indexed("graph");
    await tuned("graph", 1500, 0.9);
    expect(await of("recall-below-target")).toMatchObject({ remedy: "kindred index plan songs" });
  });

  test("about two that serve the same, and one that is not as the policy says", async () => {
    await fill({ quantization: IndexQuantization.HALFVEC });
    await indexed("better", "hnsw (embedding vector_cosine_ops) WITH (ef_construction = 100)");
    await owned("worse", "hnsw (embedding vector_cosine_ops)", 1500, {
      method: "hnsw",
      m: 16,
      ef_construction: 64,
    });
    expect(await of("unused-duplicate")).toMatchObject({
      indexName: "worse",
      message: expect.stringContaining("better serves the same searches"),
      remedy: "kindred index drop songs worse",
    });
    expect(await of("policy-mismatch")).toMatchObject({
      indexName: "worse",
      message: expect.stringContaining("wants quantization halfvec"),
    });
  });

  test("about faults of the installed pgvector", async () => {
    await fill();
    const { soundVectorVersion } = await indexFacts(fixture.db).server({});
    await indexed("graph");
    expect((await of("pgvector-version")) !== undefined).toBe(soundVectorVersion !== undefined);
  });

  test("about memory that building again would lack", async () => {
    await fill();
    await indexed("graph");
    expect(await rules()).not.toContain("memory");
    // A table whose statistics say that it has many more rows.
    await fixture.db.query(`UPDATE pg_class SET reltuples = 100000000 WHERE oid = '${table}'::regclass`);
    expect(await of("memory")).toMatchObject({
      message: expect.stringMatching(/GB of memory.*raise INDEX_BUILD_MEMORY/),
    });
  });

  test(
    "about a table that nobody has analysed",
    whereOnline(async () => {
      await fixture.collections.createCollection({ name: "songs", dimensions: DIMENSIONS });
      const { rows: found } = await fixture.db.query<{ id: number }>(
        "SELECT id FROM collections WHERE name = 'songs'",
      );
      table = `collection_${found[0]?.id}_vectors`;
      await fixture.db.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
      await fixture.db.query(
        `INSERT INTO ${table} (key, embedding)
         SELECT i::text, array_fill(i::float4, ARRAY[${DIMENSIONS}])::vector FROM generate_series(1, 5000) AS i`,
      );
      expect(await of("never-analyzed")).toMatchObject({ remedy: `ANALYZE vector_store.${table}` });
      await fixture.db.query(`ANALYZE ${table}`);
      await until(async () => (await of("never-analyzed")) === undefined);
    }),
  );

  test("is of all collections, the most urgent first; of one that is not there NOT_FOUND", async () => {
    await fill({ minRows: 100n });
    await fixture.collections.createCollection({ name: "other", dimensions: 4, metric: Metric.L2 });
    const all = (await fixture.index.adviseIndexes({})).advice;
    expect(all.map(({ collection }) => collection)).toContain("songs");
    expect(all.map(({ severity }) => severity)).toEqual(
      all.map(({ severity }) => severity).toSorted((a, b) => b - a),
    );
    expect((await errorOf(fixture.index.adviseIndexes({ collection: "nowhere" }))).kind).toBe("not-found");
    expect((await errorOf(fixture.index.adviseIndexes({ collection: "No" }))).kind).toBe("invalid-argument");
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

describe("a pass of the automatic policy", () => {
  let now = Date.now();
  const keeping = (): KeepIndexesDeps => ({
    facts: indexFacts(fixture.db),
    collections: fixture.store.collections,
    indexes: fixture.store.indexes,
    recall: fixture.store.recall,
    operations: fixture.store.operations,
    measureRecall: fixture.store.measureRecall,
    minRows: 10_000,
    memoryBytes: 2 ** 28,
    cores: 2,
    log: fixture.db.logger,
    now: () => now,
  });
  const { signal } = new AbortController();
  beforeEach(() => {
    now = Date.now();
  });

  /** Passes until one begins something; statistics come a moment after what they count. */
  async function begun(activity = noActivity()): Promise<Operation> {
    for (;;) {
      const operation = await keepIndexes(keeping(), activity, signal);
      if (operation) return operation;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function finished({ id }: Operation): Promise<Operation> {
    let last: Operation | undefined;
    for await (const each of fixture.store.operations.watch(id, {})) last = each;
    fixture.store.forgetState();
    return last as Operation;
  }

  test(
    "builds what is missing and tunes it, one thing after the other, and is content then",
    whereOnline(async () => {
      await fill({ minRows: 1000n, indexName: "kept_idx" });
      const build = await begun();
      expect(build).toMatchObject({ kind: "index-build", subject: "songs", automatic: true });
      expect(await finished(build)).toMatchObject({ state: "succeeded" });
      const [index] = (await fixture.index.listIndexes({ collection: "songs" })).indexes;
      expect(index).toMatchObject({ name: "kept_idx", valid: true, owned: true, method: "hnsw" });
      // The build has tuned it; with a third more rows it is tuned again.
      expect(await rules()).not.toContain("never-tuned");
      expect(await keepIndexes(keeping(), noActivity(), signal)).toBeUndefined();
      await fixture.db.query("UPDATE recall_curves SET rows = 1000");
      const tuning = await begun();
      expect(tuning).toMatchObject({
        kind: "recall-tuning",
        automatic: true,
        spec: { index_name: index?.name },
      });
      // While it runs there is nothing else to do.
      expect(await keepIndexes(keeping(), noActivity(), signal)).toBeUndefined();
      await fixture.store.operations.cancel(tuning.id, {});
      expect(await finished(tuning)).toMatchObject({ state: "cancelled" });
    }),
    120_000,
  );

  test(
    "waits while rows come in, but not for ever",
    whereOnline(async () => {
      await fill({ minRows: 1000n });
      const activity = noActivity();
      const writing = async (): Promise<Operation | undefined> => {
        const before = await indexFacts(fixture.db).table(await fixture.store.collections.get("songs"), {});
        await fixture.db.transaction(async (client) => {
          await client.query(`UPDATE ${table} SET updated_at = now() WHERE key = 'key-000001'`);
          await client.query("SELECT pg_stat_force_next_flush()");
        });
        await until(async () => {
          const { changes } = await indexFacts(fixture.db).table(
            await fixture.store.collections.get("songs"),
            {},
          );
          return changes > before.changes;
        });
        return await keepIndexes(keeping(), activity, signal);
      };
      for (let i = 0; i < 4; i++) expect(await writing()).toBeUndefined();
      now += 11 * 60_000;
      expect(await writing()).toMatchObject({ kind: "index-build" });
    }),
    60_000,
  );

  test(
    "leaves alone what is left to users, and what is being done",
    whereOnline(async () => {
      await fill({ minRows: 1000n, maintenance: IndexMaintenance.MANUAL });
      const activity = noActivity();
      for (let i = 0; i < 3; i++) expect(await keepIndexes(keeping(), activity, signal)).toBeUndefined();
      expect(activity.seen.has("songs")).toBe(false);
    }),
  );

  test(
    "does not try again at once what has failed, and waits longer each time",
    whereOnline(async () => {
      await fill({ minRows: 1000n });
      const failed = (minutesAgo: number): Promise<unknown> =>
        fixture.db.query(
          `INSERT INTO operations (kind, collection, state, automatic, spec, failure_kind, failure_message, finished_at)
           VALUES ('index_build', 'songs', 'failed', true, '{}', 'internal', 'x', now() - $1 * interval '1 minute')`,
          [minutesAgo],
        );
      await failed(14);
      await failed(6);
      const activity = noActivity();
      for (let i = 0; i < 4; i++) expect(await keepIndexes(keeping(), activity, signal)).toBeUndefined();
      now += 5 * 60_000;
      expect(await begun(activity)).toMatchObject({ kind: "index-build" });
    }),
    60_000,
  );

  test(
    "builds with other lists where theirs are too many",
    whereOnline(async () => {
      await fill({ minRows: 1000n });
      await owned("lists", "ivfflat (embedding vector_cosine_ops) WITH (lists = 30)", ROWS, {
        method: "ivfflat",
        lists: 30,
      });
      const build = await begun();
      expect(build).toMatchObject({
        kind: "index-build",
        spec: { method: "ivfflat", lists: 2, metric: "cosine", index_name: "lists" },
      });
      const { operation } = await fixture.operations.getOperation({ id: (await finished(build)).id });
      expect(operation?.state).toBe(OperationState.SUCCEEDED);
      const { indexes } = await fixture.index.listIndexes({ collection: "songs" });
      expect(indexes.map(({ name, parameters }) => [name, parameters["lists"]])).toEqual([["lists", "2"]]);
    }),
    120_000,
  );
});
