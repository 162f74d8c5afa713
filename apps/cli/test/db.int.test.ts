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
  home = mkdtempSync(join(tmpdir(), "kindred-db-"));
  database = await testDatabase();
}, 60_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const db = (command: string, ...args: string[]): Promise<Outcome> =>
  kindred(["db", command, ...args], { KINDRED_HOME: home, DATABASE_URL: database.url });

interface Checks {
  ok: boolean;
  checks: { name: string; outcome: string; detail: string }[];
}

async function verify(): Promise<Checks & { code: number | null }> {
  const { code, out } = await db("verify", "--json");
  return { code, ...(JSON.parse(out) as Checks) };
}

async function execute(sql: string): Promise<void> {
  await using connection = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: database.url, DB_POOL_SIZE: "1" }),
    schema: "public",
    applicationName: "db-test",
    logger: silentLogger(),
  });
  await connection.query(sql);
}

test("before the setup, verify says what is missing and what to do", async () => {
  const { code, ok, checks } = await verify();
  expect({ code, ok }).toEqual({ code: 1, ok: false });
  expect(checks).toContainEqual({
    name: "vector_store.images",
    outcome: "failed",
    detail: "is not there: kindred db setup",
  });
}, 60_000);

test("setup creates everything, and again it has nothing to do", async () => {
  const first = await db("setup");
  expect(first.code).toBe(0);
  for (const schema of ["vector_store", "generation_tracking", "metrics"])
    expect(first.out).toContain(`${schema}: `);
  const second = await db("setup", "--json");
  expect(JSON.parse(second.out)).toMatchObject({ applied: [] });
}, 60_000);

test("then verify and test are content, and nothing stays of the test", async () => {
  const { code, ok, checks } = await verify();
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  expect(checks.find((check) => check.name === "generation_tracking.generations")?.detail).toBe("0 rows");
  const { code: testCode, out } = await db("test");
  expect(testCode).toBe(0);
  for (const name of ["write", "search", "distance", "read back", "roll back"])
    expect(out).toContain(`✔ ${name}`);
  const after = await verify();
  expect(after.checks.find((check) => check.name === "vector_store.images")?.detail).toBe("0 rows");
}, 60_000);

test("a column that got lost and an index that is not valid are found", async () => {
  await execute("ALTER TABLE vector_store.images DROP COLUMN format");
  await execute(
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'vector_store.embeddings_created_at_idx'::regclass",
  );
  const { code, checks } = await verify();
  expect(code).toBe(1);
  expect(checks).toContainEqual({ name: "vector_store.images", outcome: "failed", detail: "lacks format" });
  expect(checks.find((check) => check.name === "indexes")).toMatchObject({
    outcome: "failed",
    detail: expect.stringContaining("embeddings_created_at_idx"),
  });
}, 60_000);

test("a password never shows", async () => {
  const { password } = new URL(database.url);
  for (const command of ["setup", "verify", "test"]) {
    const { out, err } = await db(command);
    expect(password === "" || !(out + err).includes(password)).toBe(true);
  }
}, 60_000);
