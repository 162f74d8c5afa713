import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import {
  CollectionKind,
  ElementType,
  IndexKind,
  Metric,
  type Collection,
} from "@kindred/contracts/vector-store/v1";
import { tableSql } from "../src/adapters/postgres/sql.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  await fixture.clear();
});

const SPACE = "local:m@1:384:mean:l2:256";
const OTHER_SPACE = "local:n@1:384:mean:l2:256";
const create = async (request: object): Promise<Collection> =>
  (await fixture.collections.createCollection({ name: "songs", dimensions: 8, ...request }))
    .collection as Collection;
const get = async (name: string): Promise<Collection> =>
  (await fixture.collections.getCollection({ name })).collection as Collection;

/** Columns of a table with their types, storage and statistics target, and its indexes. */
async function shapeOf(table: string): Promise<{ columns: string[]; indexes: string[] }> {
  const { rows: columns } = await fixture.db.query<{ line: string }>(
    `SELECT concat_ws(' ', attname, format_type(atttypid, atttypmod), attstorage, coalesce(attstattarget, -1),
              CASE WHEN attnotnull THEN 'not null' END,
              (SELECT collname FROM pg_collation WHERE oid = attcollation AND collname <> 'default')) AS line
       FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 ORDER BY attnum`,
    [table],
  );
  const { rows: indexes } = await fixture.db.query<{ line: string }>(
    `SELECT regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '') AS line
       FROM pg_index WHERE indrelid = to_regclass($1) ORDER BY 1`,
    [table],
  );
  return { columns: columns.map(({ line }) => line), indexes: indexes.map(({ line }) => line) };
}

/** Every table of the store's that belongs to a managed collection. */
async function managedTables(): Promise<string[]> {
  const { rows } = await fixture.db.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relname LIKE 'collection\\_%' AND relkind = 'r' ORDER BY 1",
  );
  return rows.map(({ name }) => name);
}

describe("the images catalogue", () => {
  test("is there from the start, as what it is", async () => {
    const { collections } = await fixture.collections.listCollections({});
    expect(collections).toMatchObject([
      {
        name: "images",
        kind: CollectionKind.IMAGES,
        dimensions: 384,
        elementType: ElementType.VECTOR,
        metric: Metric.COSINE,
        spaceId: "",
        recallTarget: 0.95,
        textSearchConfig: "english",
        storedAsJson: false,
        table: { schema: "vector_store", table: "embeddings", keyColumn: "id", vectorColumn: "embedding" },
      },
    ]);
  });

  test("cannot be deleted", async () => {
    expect(await errorOf(fixture.collections.deleteCollection({ name: "images" }))).toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining("delete its images instead"),
    });
  });

  test("shows the space of its first image", async () => {
    await fixture.images.addImageWithEmbeddings({ image: { imagePath: "a.png", description: "a cat" } });
    fixture.store.forgetState();
    expect((await get("images")).spaceId).toBe(fixture.embedding.space.id);
    expect(await fixture.collections.getCollectionStatistics({ name: "images" })).toMatchObject({
      rows: 1n,
      estimated: false,
      indexedRows: 0n,
      plan: "exact",
      indexes: [],
    });
    await fixture.index.ensureIndex({});
    expect(await fixture.collections.getCollectionStatistics({ name: "images", exact: true })).toMatchObject({
      rows: 1n,
      indexedRows: 1n,
      plan: "hnsw",
      indexes: [{ name: "embeddings_embedding_hnsw_idx" }],
    });
  });
});

describe("a collection with tables of its own", () => {
  test("is made with all that was asked for", async () => {
    const created = await create({
      dimensions: 0,
      spaceId: SPACE,
      metric: Metric.INNER_PRODUCT,
      recallTarget: 0.9,
      indexPolicy: { kind: IndexKind.HNSW, m: 24, efConstruction: 100 },
      textSearchConfig: "simple",
    });
    expect(created).toMatchObject({
      name: "songs",
      kind: CollectionKind.MANAGED,
      dimensions: 384,
      elementType: ElementType.VECTOR,
      metric: Metric.INNER_PRODUCT,
      spaceId: SPACE,
      recallTarget: 0.9,
      indexPolicy: { kind: IndexKind.HNSW, m: 24, efConstruction: 100, lists: 0 },
      textSearchConfig: "simple",
      storedAsJson: false,
    });
    fixture.store.forgetState();
    expect(await get("songs")).toEqual(created);
    const vectors = created.table?.table as string;
    expect(await shapeOf(vectors)).toEqual({
      columns: [
        "key text x -1 not null C",
        "embedding vector(384) p 0 not null",
        "updated_at timestamp with time zone p -1 not null",
      ],
      indexes: ["btree (key)"],
    });
    expect(await shapeOf(vectors.replace("vectors", "items"))).toEqual({
      columns: ["key text x -1 not null C", "metadata jsonb x -1 not null", "document text x -1"],
      indexes: [
        "btree (key)",
        "gin (metadata jsonb_path_ops)",
        "gin (to_tsvector('simple'::regconfig, COALESCE(document, ''::text)))",
      ],
    });
  });

  test.each<[string, object, string]>([
    ["1,749 floats in their row", { dimensions: 1749 }, "vector(1749) p"],
    ["8,192 floats", { dimensions: 8192 }, "vector(8192) e"],
    ["16,000 floats", { dimensions: 16_000 }, "vector(16000) e"],
    ["halves", { dimensions: 3000, elementType: ElementType.HALFVEC }, "halfvec(3000) p"],
    ["bits", { dimensions: 1024, elementType: ElementType.BIT }, "bit(1024) p"],
    ["64,000 bits", { dimensions: 64_000, elementType: ElementType.BIT }, "bit(64000) x"],
  ])("holds %s", async (_, shape, column) => {
    const { table, textSearchConfig } = await create({ ...shape, textSearchConfig: "" });
    expect(textSearchConfig).toBe("");
    expect((await shapeOf(table?.table as string)).columns[1]).toBe(`embedding ${column} 0 not null`);
  });

  test("of bits compares by Hamming unless told otherwise", async () => {
    expect((await create({ elementType: ElementType.BIT })).metric).toBe(Metric.HAMMING);
    expect((await create({ name: "b", elementType: ElementType.BIT, metric: Metric.JACCARD })).metric).toBe(
      Metric.JACCARD,
    );
  });

  test("has a name of its own, whoever is first", async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 4 }, (_, i) => create({ dimensions: i + 1 })),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") {
        expect(outcome.reason).toMatchObject({
          kind: "already-exists",
          message: 'there is a collection "songs" already',
        });
      }
    }
    expect(await managedTables()).toHaveLength(2);
  });

  test("is not made with a text search configuration that is none", async () => {
    expect(await errorOf(create({ textSearchConfig: "klingon" }))).toMatchObject({
      kind: "invalid-argument",
      violations: [{ field: "text_search_config" }],
    });
    expect(await managedTables()).toEqual([]);
    expect(await errorOf(get("songs"))).toMatchObject({ kind: "not-found" });
  });

  test("is listed by name", async () => {
    for (const name of ["zebra", "a_1", "a1"]) await create({ name });
    const { collections } = await fixture.collections.listCollections({});
    expect(collections.map(({ name }) => name)).toEqual(["a1", "a_1", "images", "zebra"]);
  });

  test("changes its policy, and nothing that was not named", async () => {
    const created = await create({ indexPolicy: { m: 32 } });
    const { collection } = await fixture.collections.updateCollection({
      collection: { name: "songs", recallTarget: 0.8, metric: Metric.L2, indexPolicy: { lists: 7 } },
      updateMask: { paths: ["recall_target", "index_policy.lists"] },
    });
    expect(collection).toEqual({
      ...created,
      recallTarget: 0.8,
      indexPolicy: { ...created.indexPolicy, lists: 7 },
    });
    expect(await get("songs")).toEqual(collection);
    const whole = await fixture.collections.updateCollection({
      collection: { name: "songs", metric: Metric.L1, indexPolicy: { kind: IndexKind.NONE } },
      updateMask: { paths: ["index_policy", "metric"] },
    });
    expect(whole.collection).toMatchObject({
      metric: Metric.L1,
      indexPolicy: { kind: IndexKind.NONE, m: 0, lists: 0 },
    });
    const missing = fixture.collections.updateCollection({
      collection: { name: "none", recallTarget: 0.8 },
      updateMask: { paths: ["recall_target"] },
    });
    expect(await errorOf(missing)).toMatchObject({ kind: "not-found" });
  });

  test("takes a space while it is empty, and keeps it", async () => {
    const named = (spaceId: string, name = "songs") =>
      fixture.collections.updateCollection({
        collection: { name, spaceId },
        updateMask: { paths: ["space_id"] },
      });
    await create({ dimensions: 384 });
    expect((await named(SPACE)).collection?.spaceId).toBe(SPACE);
    expect(await errorOf(named(OTHER_SPACE))).toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining('the collection "songs"'),
    });
    const { table } = await create({ name: "filled" });
    await fixture.db.query(`INSERT INTO ${table?.table} (key, embedding) VALUES ('a', '[1,2,3,4,5,6,7,8]')`);
    expect(await errorOf(named("local:m@1:8:mean:l2:256", "filled"))).toMatchObject({
      kind: "failed-precondition",
    });
  });

  test("goes with all that is in it", async () => {
    const { table } = await create({});
    await fixture.db.query(
      `INSERT INTO ${table?.table} (key, embedding) SELECT i::text, '[1,2,3,4,5,6,7,8]' FROM generate_series(1, 5) AS i`,
    );
    expect(await fixture.collections.deleteCollection({ name: "songs" })).toMatchObject({
      vectorsDeleted: 5n,
    });
    expect(await managedTables()).toEqual([]);
    expect(await errorOf(get("songs"))).toMatchObject({ kind: "not-found" });
    expect(await errorOf(fixture.collections.deleteCollection({ name: "songs" }))).toMatchObject({
      kind: "not-found",
    });
    expect((await create({})).name).toBe("songs");
  });

  test("is counted and measured", async () => {
    const { table } = await create({});
    const vectors = table?.table as string;
    const before = await fixture.collections.getCollectionStatistics({ name: "songs" });
    expect(before).toMatchObject({ rows: 0n, estimated: false, indexedRows: 0n, plan: "exact" });
    expect(before.lastAnalyzedAt).toBeUndefined();
    // Some 20 MB: more than is counted without being asked to.
    await fixture.db.query(
      `INSERT INTO ${vectors} (key, embedding)
       SELECT repeat('k', 400) || i, array_fill(i::real, ARRAY[8])::vector FROM generate_series(1, 40000) AS i`,
    );
    await fixture.db.query(`DELETE FROM ${vectors} WHERE key LIKE '%7'`);
    await fixture.db.query(`ANALYZE ${vectors}`);
    await fixture.db.query(
      `CREATE INDEX ON ${vectors} USING ivfflat (embedding vector_l2_ops) WITH (lists = 3)`,
    );
    const l2 = { collection: { name: "songs", metric: Metric.L2 }, updateMask: { paths: ["metric"] } };
    const cosine = await fixture.collections.getCollectionStatistics({ name: "songs" });
    expect(cosine).toMatchObject({ estimated: true, plan: "exact" });
    expect(Math.abs(Number(cosine.rows) - 36_000)).toBeLessThan(3000);
    expect(cosine.indexedRows).toBe(cosine.rows);
    await fixture.collections.updateCollection(l2);
    const exact = await fixture.collections.getCollectionStatistics({ name: "songs", exact: true });
    expect(exact).toMatchObject({ rows: 36_000n, estimated: false, indexedRows: 36_000n, plan: "ivfflat" });
    expect(exact.indexes).toMatchObject([{ method: "ivfflat", valid: true, parameters: { lists: "3" } }]);
    expect(Number(exact.tableSizeBytes)).toBeGreaterThan(15e6);
    expect(Number(exact.indexSizeBytes)).toBeGreaterThan(1e6);
    expect(exact.lastAnalyzedAt).toBeDefined();
    // PostgreSQL's statistics of it arrive late.
    expect([0n, 4000n]).toContain(exact.deadTuples);
  }, 30_000);

  test("that another process has changed is read again", async () => {
    await create({});
    await fixture.db.query("UPDATE collections SET recall_target = 0.5 WHERE name = 'songs'");
    fixture.store.collections.forget();
    expect((await get("songs")).recallTarget).toBe(0.5);
  });

  test("of a table that nobody has analysed are near the truth", async () => {
    await fixture.collections.createCollection({ name: "fresh", dimensions: 384 });
    const { layout } = await fixture.store.collections.get("fresh");
    // PostgreSQL itself would take a vector for 32 bytes.
    await fixture.db.query(
      `INSERT INTO ${tableSql(layout.vectors)} (key, embedding)
       SELECT i, array_fill(i::real, ARRAY[384])::vector FROM generate_series(1, 10000) AS i`,
    );
    const { rows, estimated } = await fixture.collections.getCollectionStatistics({ name: "fresh" });
    expect(estimated).toBe(true);
    expect(Math.abs(Number(rows) - 10_000)).toBeLessThan(2500);
  });
});
