import { expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, ensureVector, migrate, openDatabase, openDataSource } from "@kindred/postgres";
import { silentLogger, testDatabase } from "@kindred/testing";
import { DATABASE_SCHEMA, migrations } from "../src/adapters/postgres/migrations.ts";
import { openStore } from "../src/app.ts";
import { AUTO_POLICY } from "../src/domain/index-policy.ts";

test("a catalogue of the first version keeps what is in it, and can go back", async () => {
  await using database = await testDatabase();
  await using db = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: database.url }),
    schema: DATABASE_SCHEMA,
    applicationName: "vector-store-test",
    logger: silentLogger(),
  });
  await ensureVector(db);
  const shape = async (): Promise<unknown> => {
    const columns = await db.query(
      `SELECT a.attrelid::regclass::text AS table, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage,
              pg_get_expr(d.adbin, d.adrelid) AS default
         FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = ANY ('{images, embeddings, collections, embedding_spaces}'::regclass[])
          AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attrelid, a.attnum`,
    );
    const constraints = await db.query(
      `SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
        WHERE connamespace = $1::regnamespace AND contype <> 'n' ORDER BY conname`,
      [DATABASE_SCHEMA],
    );
    const indexes = await db.query(
      "SELECT indexdef FROM pg_indexes WHERE schemaname = $1 ORDER BY indexname",
      [DATABASE_SCHEMA],
    );
    return { columns: columns.rows, constraints: constraints.rows, indexes: indexes.rows };
  };
  const [first] = migrations;
  await migrate(db, { migrations: [first as Function] });
  const original = await shape();
  await db.query("INSERT INTO images (image_path, description) VALUES ('a.png', 'two cats')");
  await db.query("UPDATE collections SET recall_target = 0.9");

  await migrate(db, { migrations });
  {
    await using store = await openStore(db, { memoryBytes: 2 ** 20, cacheBytes: 0 });
    expect(await store.collections.get("images")).toMatchObject({
      kind: "images",
      recallTarget: 0.9,
      elementType: "vector",
      textSearchConfig: "english",
      hashPartitions: undefined,
      reembeddingSpaceId: undefined,
      layout: { vector: { storage: "vector" } },
    });
    await store.collections.create(
      {
        name: "songs",
        dimensions: 3,
        elementType: "bit",
        metric: "hamming",
        space: undefined,
        recallTarget: 0.95,
        indexPolicy: AUTO_POLICY,
        textSearchConfig: "english",
        hashPartitions: undefined,
      },
      {},
    );
  }
  const { rows } = await db.query<{ plan: string }>(`
    SELECT 1 FROM images WHERE to_tsvector('english'::regconfig, coalesce(description, '')) @@ to_tsquery('english', 'cat')`);
  expect(rows).toHaveLength(1);
  await expect(
    db.query("INSERT INTO collections (name, kind, dimensions) VALUES ('A', 'managed', 3)"),
  ).rejects.toMatchObject({
    metadata: { constraint: "collections_name_check" },
  });

  const dataSource = await openDataSource(db, { entities: [], migrations });
  try {
    for (let undone = 1; undone < migrations.length; undone++) await dataSource.undoLastMigration();
  } finally {
    await dataSource.destroy();
  }
  expect(await shape()).toEqual(original);
  expect((await db.query("SELECT name, recall_target FROM collections")).rows).toEqual([
    { name: "images", recall_target: 0.9 },
  ]);
  expect((await db.query("SELECT relname FROM pg_class WHERE relname LIKE 'collection\\_%'")).rows).toEqual(
    [],
  );
}, 60_000);
