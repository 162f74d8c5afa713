import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, migrate, openDatabase, openDataSource, type Database } from "@kindred/postgres";
import { silentLogger, testDatabase, type TestDatabase } from "@kindred/testing";
import { GenerationEntity } from "../src/adapters/postgres/generation-entity.ts";
import { generationStore } from "../src/adapters/postgres/generation-store.ts";
import { migrations } from "../src/adapters/postgres/migrations.ts";
import { plainFields } from "../src/domain/generation-fixture.ts";
import { recordGeneration } from "../src/domain/record-generation.ts";

let server: TestDatabase;
let db: Database;
let schemas = 0;
beforeAll(async () => {
  server = await testDatabase();
}, 120_000);
afterAll(async () => {
  await db?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await db?.[Symbol.asyncDispose]();
  db = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: server.url }),
    schema: `upgrade_${++schemas}`,
    applicationName: "generation-tracking-test",
    logger: silentLogger(),
  });
});

/** Those before generations could run. */
const BEFORE = migrations.slice(0, 2);
const THIS = migrations.slice(0, 3);

// As the service of then recorded prompt "a cat", with its request's digest.
const RECORDED = `
  INSERT INTO generations (prompt, seed, guidance_scale, model_config, retrieved_examples, output_path, status, error_message,
                           created_at, idempotency_key, request_digest) VALUES
    ('a cat', 1, 7.5, '{"model": "sd", "options": {"a": 1, "b": [1, 2]}}',
     '[{"image_id": "1", "image_path": "a", "caption": "", "similarity": 0.5}]', 'out/1.png', 'completed', NULL,
     '2025-03-01 12:00:00.123456Z', 'k', '\\xc1a3d20d576eb0a31626294f13c00270c0885cc556e0cef2761e98bb0b923ca7'),
    ('a dog', NULL, NULL, '[1]', '{"not": "a list"}', NULL, 'failed', 'out of memory', '2025-04-01Z', NULL, NULL)`;

const FIELDS = plainFields({
  outputPath: "out/1.png",
  seed: 1n,
  guidanceScale: 7.5,
  modelConfig: { model: "sd", options: { a: 1, b: [1, 2] } },
  retrievedExamples: [{ imageId: 1n, imagePath: "a", caption: "", similarity: 0.5, rank: 1 }],
  outputs: [
    {
      path: "out/1.png",
      sizeBytes: undefined,
      sha256: undefined,
      state: "unknown",
      verifiedAtMicros: undefined,
    },
  ],
});

test("generations of before ended when they were recorded, are found by image and file, and keep their keys", async () => {
  await migrate(db, { migrations: BEFORE });
  await db.query(RECORDED);
  await migrate(db, { migrations });
  await using opened = new AsyncDisposableStack();
  const dataSource = opened.adopt(
    await openDataSource(db, { entities: [GenerationEntity], migrations }),
    (source) => source.destroy(),
  );
  const store = generationStore({ db, dataSource });
  const { generation, existing } = await recordGeneration({ store }, FIELDS, "k");
  expect(existing).toBe(true);
  const createdAtMicros = 1_740_830_400_123_456n;
  expect(generation).toEqual({
    ...FIELDS,
    id: generation.id,
    modelName: "sd",
    createdAtMicros,
    finishedAtMicros: createdAtMicros,
    leaseExpiresAtMicros: undefined,
    progress: undefined,
  });
  await expect(recordGeneration({ store }, { ...FIELDS, labels: ["x"] }, "k")).rejects.toMatchObject({
    kind: "already-exists",
  });
  expect(await store.find(generation.id + 1n)).toMatchObject({
    status: "failed",
    modelName: "",
    outputs: [],
    retrievedExamples: [],
  });
  const { rows } = await db.query(
    "SELECT generation_id, image_id, created_at = $1 AS same FROM generation_examples",
    ["2025-03-01 12:00:00.123456Z"],
  );
  expect(rows).toEqual([{ generation_id: String(generation.id), image_id: "1", same: true }]);
}, 60_000);

test("the way back leaves the tables as they were, without those that run", async () => {
  const tables = `
    SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
     WHERE table_schema = $1 ORDER BY table_name, ordinal_position`;
  await migrate(db, { migrations: BEFORE });
  await db.query(RECORDED);
  const before = (await db.query(tables, [db.schema])).rows;
  await migrate(db, { migrations: THIS });
  await db.query(`
    INSERT INTO generations (prompt, status, lease_ms, lease_expires_at) VALUES ('x', 'running', 1000, now())`);
  await using opened = new AsyncDisposableStack();
  const dataSource = opened.adopt(await openDataSource(db, { entities: [], migrations: THIS }), (source) =>
    source.destroy(),
  );
  await dataSource.undoLastMigration();
  expect((await db.query(tables, [db.schema])).rows).toEqual(before);
  expect((await db.query("SELECT prompt FROM generations ORDER BY id")).rows).toEqual([
    { prompt: "a cat" },
    { prompt: "a dog" },
  ]);
  await migrate(db, { migrations: THIS });
  expect((await db.query("SELECT path FROM generation_outputs")).rows).toEqual([{ path: "out/1.png" }]);
}, 60_000);
