import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, openDatabase } from "@kindred/postgres";
import { silentLogger, testDatabase } from "@kindred/testing";
import { kindred, type Outcome } from "./kindred.ts";

let home: string;
let database: Awaited<ReturnType<typeof testDatabase>>;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "kindred-upgrade-"));
  database = await testDatabase();
}, 60_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const upgrade = (...args: string[]): Promise<Outcome> =>
  kindred(["db", "upgrade-vectors", ...args], { KINDRED_HOME: home, DATABASE_URL: database.url });

async function execute(...statements: string[]): Promise<void> {
  await using connection = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: database.url, DB_POOL_SIZE: "1" }),
    schema: "public",
    applicationName: "upgrade-test",
    logger: silentLogger(),
  });
  for (const sql of statements) await connection.query(sql);
}

const VECTOR = "to_jsonb(array_fill(0.5::float4, '{384}'))";

test("converts what there is, names what is in the way, and says when there is nothing to do", async () => {
  await kindred(["db", "setup"], { KINDRED_HOME: home, DATABASE_URL: database.url });
  // As it is where the services began without pgvector.
  await execute(
    "ALTER TABLE vector_store.embeddings DROP COLUMN embedding",
    "ALTER TABLE vector_store.embeddings ADD COLUMN embedding JSONB NOT NULL",
    "INSERT INTO vector_store.images (id, image_path) VALUES (1, 'a')",
    `INSERT INTO vector_store.embeddings (id, image_id, embedding) VALUES (1, 1, ${VECTOR}), (2, 1, '[1]')`,
  );
  const refused = await upgrade("--json");
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.out)).toMatchObject({
    converted: [],
    refused: [{ collection: "images", rows: 1, keys: ["2"] }],
  });
  const told = await upgrade();
  expect(told.code).toBe(1);
  expect(told.out).toContain("images stays as it is");
  await execute("DELETE FROM vector_store.embeddings WHERE id = 2");
  const done = await upgrade();
  expect(done.code).toBe(0);
  expect(done.out).toContain("images: 1 vectors are pgvector's now");
  const again = await upgrade();
  expect(again.code).toBe(0);
  expect(again.out).toContain("there was nothing to do");
  expect(JSON.parse((await upgrade("--json")).out)).toMatchObject({ converted: [], refused: [] });
}, 120_000);

test("without pgvector it says how to get it", async () => {
  if (database.kind === "pglite") {
    process.stderr.write("not run: another role than the one that owns everything\n");
    return;
  }
  const role = `plain_${process.pid}`;
  await execute(
    "DROP EXTENSION vector CASCADE",
    `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`,
    `GRANT USAGE ON SCHEMA vector_store TO ${role}`,
  );
  try {
    const url = new URL(database.url);
    url.username = role;
    url.password = "secret";
    const { code, err } = await kindred(["db", "upgrade-vectors"], {
      KINDRED_HOME: home,
      DATABASE_URL: url.href,
    });
    expect(code).toBe(1);
    expect(err).toContain("CREATE EXTENSION vector");
    expect(err).not.toContain("secret");
  } finally {
    await execute(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
  }
}, 60_000);
