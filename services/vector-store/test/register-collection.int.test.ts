import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  CollectionKind,
  ConflictPolicy,
  ElementType,
  Metric,
  type Collection,
} from "@kindred/contracts/vector-store/v1";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { pack } from "./items-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await fixture.db.query("CREATE SCHEMA shop");
});
afterEach(async () => {
  await fixture.db.query("DROP SCHEMA shop CASCADE");
  await fixture.db.query("DROP TABLE IF EXISTS public.song_embeddings");
  await fixture.clear();
});

const SPACE = "fireworks:qwen3-embedding-8b@1:8:last:l2:32768";
const register = async (request: object): Promise<Collection> =>
  (await fixture.collections.registerCollection(request)).collection as Collection;
const statistics = (name: string) => fixture.collections.getCollectionStatistics({ name, exact: true });

/** Whatever PostgreSQL's catalogue says of the relations in a schema: a change of any of them shows. */
async function snapshot(schema: string): Promise<unknown> {
  const { rows } = await fixture.db.query(
    `SELECT c.relname,
            to_jsonb(c) - 'reltuples' - 'relpages' - 'relallvisible' AS class,
            (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid) AS columns,
            (SELECT jsonb_agg(pg_get_constraintdef(k.oid) ORDER BY k.oid) FROM pg_constraint k WHERE k.conrelid = c.oid) AS constraints,
            (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.oid) FROM pg_trigger t WHERE t.tgrelid = c.oid) AS triggers
       FROM pg_class c WHERE c.relnamespace = $1::regnamespace ORDER BY c.oid`,
    [schema],
  );
  return rows;
}

test("song_embeddings is registered by its name, and nothing of it is altered", async () => {
  await fixture.db.query(`
    CREATE TABLE public.song_embeddings (
      song_id INTEGER PRIMARY KEY, embedding vector(8) NOT NULL, created_at TIMESTAMP DEFAULT now())`);
  await fixture.db.query(
    "INSERT INTO public.song_embeddings SELECT i, array_fill(i::real, ARRAY[8])::vector FROM generate_series(1, 20) AS i",
  );
  await fixture.db.query(
    "CREATE INDEX embeddings_ivfflat_idx ON public.song_embeddings USING ivfflat (embedding vector_cosine_ops) WITH (lists = 1)",
  );
  const before = await snapshot("public");
  const registered = await register({ table: { table: "song_embeddings" } });
  expect(registered).toMatchObject({
    name: "song_embeddings",
    kind: CollectionKind.REGISTERED,
    dimensions: 8,
    elementType: ElementType.VECTOR,
    metric: Metric.COSINE,
    spaceId: "",
    textSearchConfig: "",
    storedAsJson: false,
    table: {
      schema: "public",
      table: "song_embeddings",
      keyColumn: "song_id",
      vectorColumn: "embedding",
      documentColumn: "",
    },
  });
  const { layout } = await fixture.store.collections.get("song_embeddings");
  expect(layout.key).toEqual({ column: "song_id", type: "integer" });
  expect(layout.fields).toEqual({
    kind: "columns",
    columns: new Map([["created_at", { of: "vectors", column: "created_at", type: "timestamp" }]]),
  });
  expect(await statistics("song_embeddings")).toMatchObject({ rows: 20n, indexedRows: 20n, plan: "ivfflat" });
  const { collection } = await fixture.collections.updateCollection({
    collection: { name: "song_embeddings", spaceId: SPACE, recallTarget: 0.8 },
    updateMask: { paths: ["space_id", "recall_target"] },
  });
  expect(collection).toMatchObject({ spaceId: SPACE, recallTarget: 0.8 });
  expect(await fixture.collections.deleteCollection({ name: "song_embeddings" })).toMatchObject({
    vectorsDeleted: 0n,
  });
  expect(await snapshot("public")).toEqual(before);
  expect((await fixture.db.query("SELECT 1 FROM public.song_embeddings")).rowCount).toBe(20);
});

test("all columns are fields, as they are now", async () => {
  await fixture.db.query("CREATE DOMAIN shop.label AS varchar(20)");
  await fixture.db.query("CREATE TYPE shop.mood AS ENUM ('high', 'low')");
  await fixture.db.query(`
    CREATE TABLE shop."Odd ""Table""" (
      uid UUID PRIMARY KEY, a TEXT, b VARCHAR(9), c SMALLINT, d BIGINT, e REAL, f NUMERIC, g BOOLEAN, h TIMESTAMPTZ,
      i DATE, j TEXT[], k JSONB, l shop.label, m shop.mood, n BYTEA, "the vector" halfvec(3), flags BIT(8))`);
  await register({
    name: "odd",
    table: {
      schema: "shop",
      table: 'Odd "Table"',
      vectorColumn: "the vector",
      documentColumn: "a",
    },
    textSearchConfig: "simple",
  });
  const odd = await fixture.store.collections.get("odd");
  expect(odd).toMatchObject({ elementType: "halfvec", dimensions: 3, textSearchConfig: "simple" });
  expect(odd.layout.document).toEqual({ of: "vectors", column: "a" });
  const types = async () => {
    const { fields } = (await fixture.store.collections.get("odd")).layout;
    if (fields.kind !== "columns") throw new Error(fields.kind);
    return Object.fromEntries([...fields.columns].map(([name, { type }]) => [name, type]));
  };
  const known = {
    a: "text",
    b: "text",
    c: "integer",
    d: "integer",
    e: "number",
    f: "number",
    g: "boolean",
    h: "timestamp",
    i: "date",
    j: "text-array",
    k: "json",
    l: "text",
    m: "other",
    n: "other",
    flags: "other",
  };
  expect(await types()).toEqual(known);
  expect(await statistics("odd")).toMatchObject({ rows: 0n, plan: "exact" });
  await fixture.db.query(`ALTER TABLE shop."Odd ""Table""" ADD COLUMN year INTEGER, DROP COLUMN n`);
  await fixture.db.query(`ALTER TABLE shop."Odd ""Table""" ALTER COLUMN "the vector" TYPE vector(4)`);
  fixture.store.collections.forget();
  const { n: _, ...rest } = known;
  expect(await types()).toEqual({ ...rest, year: "integer" });
  expect(await fixture.store.collections.get("odd")).toMatchObject({ elementType: "vector", dimensions: 4 });
});

test.each<[string, string, object]>([
  ["bits", "id BIGINT PRIMARY KEY, v BIT(64)", { metric: Metric.HAMMING, elementType: ElementType.BIT }],
  ["8,192 dimensions", "id TEXT PRIMARY KEY, v vector(8192)", { dimensions: 8192 }],
  ["a domain of vectors", "id INTEGER PRIMARY KEY, v shop.short", { dimensions: 5 }],
  [
    "a unique column beside the primary key",
    "a INT, b INT, id UUID UNIQUE NOT NULL, v vector(2), PRIMARY KEY (a, b)",
    {},
  ],
])("a table with %s can be registered", async (_, columns, expected) => {
  await fixture.db.query("CREATE DOMAIN shop.short AS vector(5)");
  await fixture.db.query(`CREATE TABLE shop.t (${columns})`);
  const keyColumn = columns.includes("UNIQUE") ? "id" : "";
  expect(await register({ table: { schema: "shop", table: "t", keyColumn } })).toMatchObject(expected);
});

test("a partitioned table whose keys may be in several partitions cannot serve; its partitions can", async () => {
  const { db } = fixture;
  await db.query(
    "CREATE TABLE shop.l (id INT NOT NULL, tenant TEXT, v vector(2)) PARTITION BY LIST (tenant)",
  );
  await db.query("ALTER TABLE shop.l ADD PRIMARY KEY (id, tenant)");
  await db.query("CREATE TABLE shop.l_a PARTITION OF shop.l FOR VALUES IN ('a')");
  await db.query("CREATE UNIQUE INDEX ON shop.l_a (id)");
  const error = await errorOf(register({ table: { schema: "shop", table: "l", keyColumn: "id" } }));
  expect(error.kind).toBe("failed-precondition");
  expect(error.message).toContain("it is partitioned by tenant");
  expect(
    await register({ name: "a", table: { schema: "shop", table: "l_a", keyColumn: "id" } }),
  ).toMatchObject({
    name: "a",
  });

  await db.query("CREATE TABLE shop.h (id INT NOT NULL, v vector(2)) PARTITION BY HASH (id)");
  await db.query("CREATE TABLE shop.h0 PARTITION OF shop.h FOR VALUES WITH (MODULUS 1, REMAINDER 0)");
  const h = { schema: "shop", table: "h", keyColumn: "id" };
  expect((await errorOf(register({ table: h }))).message).toContain(
    'CREATE UNIQUE INDEX ON "shop"."h" ("id")',
  );
  await db.query("CREATE UNIQUE INDEX ON shop.h (id)");
  await register({ table: h });
  const item = { keys: ["1"], vectors: pack([1, 2]) };
  const { vectors } = fixture;
  const policy = { collection: "h", onConflict: ConflictPolicy.REPLACE };
  expect(await vectors.upsert({ ...policy, items: item })).toMatchObject({ inserted: 1n, replaced: 0n });
  expect(await vectors.upsert({ ...policy, items: item })).toMatchObject({ inserted: 0n, replaced: 1n });
});

test("partitioned tables and materialized views are tables too", async () => {
  await fixture.db.query("CREATE TABLE shop.p (id INT PRIMARY KEY, v vector(2)) PARTITION BY RANGE (id)");
  await fixture.db.query("CREATE TABLE shop.p1 PARTITION OF shop.p FOR VALUES FROM (0) TO (10)");
  await fixture.db.query("CREATE TABLE shop.p2 PARTITION OF shop.p DEFAULT");
  await fixture.db.query("INSERT INTO shop.p VALUES (1, '[1,2]'), (2, NULL), (20, '[3,4]')");
  await fixture.db.query("CREATE INDEX ON shop.p USING hnsw (v vector_cosine_ops)");
  await register({ table: { schema: "shop", table: "p" } });
  const measured = await statistics("p");
  expect(measured).toMatchObject({ rows: 2n, indexedRows: 2n, plan: "hnsw" });
  expect(measured.tableSizeBytes).toBeGreaterThan(0n);
  expect(measured.indexes[0]?.sizeBytes).toBeGreaterThan(0n);

  await fixture.db.query("CREATE MATERIALIZED VIEW shop.m AS SELECT id, v FROM shop.p");
  const m = { schema: "shop", table: "m", keyColumn: "id" };
  expect((await errorOf(register({ table: m }))).message).toContain("CREATE UNIQUE INDEX");
  await fixture.db.query("CREATE UNIQUE INDEX ON shop.m (id)");
  expect(await register({ table: m })).toMatchObject({ name: "m", dimensions: 2 });
});

describe("a table that cannot serve is refused:", () => {
  test.each<[string, string | string[], object, string]>([
    ["one that is not there", [], {}, 'there is no table "shop"."t"'],
    [
      "one that no schema has",
      [],
      { schema: "" },
      'there is no table "t" in the schemas vector_store, public',
    ],
    ["one of the store's", [], { schema: "vector_store", table: "images" }, "is the store's own"],
    [
      "one of a collection's",
      "CREATE TABLE vector_store.collection_1234_vectors (id INT PRIMARY KEY, v vector(2))",
      { schema: "vector_store", table: "collection_1234_vectors" },
      "is the store's own",
    ],
    [
      "one of the store's by its bare name",
      [],
      { schema: "", table: "embeddings" },
      "name the schema of yours",
    ],
    ["a view", "CREATE VIEW shop.t AS SELECT 1 AS id", {}, "is a view: register the table that it reads"],
    ["a sequence", "CREATE SEQUENCE shop.t", {}, "is a sequence"],
    [
      "one without a primary key",
      "CREATE TABLE shop.t (id INT, v vector(2))",
      {},
      "name the column that tells rows apart",
    ],
    [
      "a primary key of two columns",
      "CREATE TABLE shop.t (a INT, b INT, v vector(2), PRIMARY KEY (a, b))",
      {},
      "has a primary key of several columns (a, b)",
    ],
    [
      "a key that is not there",
      "CREATE TABLE shop.t (id INT PRIMARY KEY, v vector(2))",
      { keyColumn: "nope" },
      'has no column "nope"; its columns are id, v',
    ],
    [
      "a key that is not unique",
      "CREATE TABLE shop.t (id INT NOT NULL, v vector(2))",
      { keyColumn: "id" },
      'CREATE UNIQUE INDEX CONCURRENTLY ON "shop"."t" ("id")',
    ],
    [
      "a key that is unique in part of the rows",
      [
        "CREATE TABLE shop.t (id INT NOT NULL, v vector(2))",
        "CREATE UNIQUE INDEX ON shop.t (id) WHERE id > 0",
      ],
      { keyColumn: "id" },
      'does not keep "id" unique by itself',
    ],
    [
      "a key that may be NULL",
      "CREATE TABLE shop.t (id INT UNIQUE, v vector(2))",
      { keyColumn: "id" },
      'ALTER TABLE "shop"."t" ALTER COLUMN "id" SET NOT NULL',
    ],
    [
      "a key of an unsuitable type",
      "CREATE TABLE shop.t (id TIMESTAMPTZ PRIMARY KEY, v vector(2))",
      {},
      'has keys of type timestamp with time zone in "id"',
    ],
    [
      "no vectors",
      "CREATE TABLE shop.t (id INT PRIMARY KEY, v REAL[])",
      {},
      "has no column of type vector, halfvec or bit",
    ],
    [
      "two vectors",
      "CREATE TABLE shop.t (id INT PRIMARY KEY, v vector(2), w halfvec(2))",
      {},
      "has several columns with vectors (v, w): name one",
    ],
    [
      "vectors of another type",
      "CREATE TABLE shop.t (id INT PRIMARY KEY, v REAL[])",
      { vectorColumn: "v" },
      'has "v" of type real[]: vectors are of type vector, halfvec or bit',
    ],
    [
      "vectors in JSON",
      "CREATE TABLE shop.t (id INT PRIMARY KEY, v JSONB)",
      { vectorColumn: "v" },
      'has "v" of type jsonb',
    ],
    [
      "vectors of any length",
      "CREATE TABLE shop.t (id INT PRIMARY KEY, v vector)",
      {},
      'ALTER TABLE "shop"."t" ALTER COLUMN "v" TYPE vector(N) fixes their dimensions',
    ],
    [
      "documents that are not there",
      "CREATE TABLE shop.t (id INT PRIMARY KEY, v vector(2))",
      { documentColumn: "d" },
      'has no column "d"',
    ],
    [
      "documents of another type",
      "CREATE TABLE shop.t (id INT PRIMARY KEY, v vector(2), d JSONB)",
      { documentColumn: "d" },
      'has documents of type jsonb in "d"',
    ],
    [
      "all at once",
      "CREATE TABLE shop.t (id DATE, v vector)",
      { keyColumn: "id" },
      'has keys of type date in "id": smallint, integer, bigint, text, varchar or uuid can be keys; it does not keep "id" unique ' +
        'by itself: CREATE UNIQUE INDEX CONCURRENTLY ON "shop"."t" ("id"); it allows NULL in "id": ALTER TABLE "shop"."t" ' +
        'ALTER COLUMN "id" SET NOT NULL; it has vectors of any length in "v"',
    ],
  ])("%s", async (_, sql, table, message) => {
    for (const statement of [sql].flat()) await fixture.db.query(statement);
    const error = await errorOf(register({ name: "t", table: { schema: "shop", table: "t", ...table } }));
    expect(error.kind).toBe("failed-precondition");
    expect(error.message).toContain(message);
    expect(await fixture.store.collections.list()).toHaveLength(1);
  });

  test("one whose metric, space or text search configuration do not fit", async () => {
    await fixture.db.query("CREATE TABLE shop.t (id INT PRIMARY KEY, v BIT(4), d TEXT)");
    const table = { schema: "shop", table: "t", documentColumn: "d" };
    for (const [field, bad] of Object.entries({
      metric: { metric: Metric.COSINE },
      space_id: { spaceId: SPACE },
      text_search_config: { textSearchConfig: "klingon" },
    })) {
      expect(await errorOf(register({ table, ...bad }))).toMatchObject({
        kind: "invalid-argument",
        violations: [{ field }],
      });
    }
  });

  test("one under a name that is taken", async () => {
    await fixture.db.query("CREATE TABLE shop.t (id INT PRIMARY KEY, v vector(2))");
    const request = { name: "images", table: { schema: "shop", table: "t" } };
    expect(await errorOf(register(request))).toMatchObject({
      kind: "already-exists",
      message: 'there is a collection "images" already',
    });
  });
});

test("a table that its owner drops leaves a collection that can still be seen and forgotten", async () => {
  await fixture.db.query("CREATE TABLE shop.t (id INT PRIMARY KEY, v vector(2))");
  await register({ table: { schema: "shop", table: "t" } });
  await fixture.db.query("DROP TABLE shop.t");
  fixture.store.collections.forget();
  const { collections } = await fixture.collections.listCollections({});
  expect(collections).toMatchObject([
    { name: "images" },
    { name: "t", dimensions: 2, kind: CollectionKind.REGISTERED },
  ]);
  expect(await errorOf(statistics("t"))).toMatchObject({ kind: "failed-precondition" });
  await fixture.collections.deleteCollection({ name: "t" });
  expect(await fixture.store.collections.list()).toHaveLength(1);
});
