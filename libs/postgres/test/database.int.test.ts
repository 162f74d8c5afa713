import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { silentLogger } from "@kindred/testing";
import {
  ensureVector,
  openDatabase,
  openDataSource,
  toVectorParameter,
  type EmbeddedServer,
} from "../src/index.ts";
import { configFor, eventually, newDatabase, open, startServer, withClient } from "./fixtures.ts";
import { startProxy } from "./tcp-proxy.ts";

// A server starts and ends here, which takes its time on a busy machine.
jest.setTimeout(120_000);

let server: EmbeddedServer;
let url: string;
beforeAll(async () => {
  server = await startServer("native");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});
beforeEach(async () => {
  url = await newDatabase(server);
});

async function backendPid(db: { query: <R>(sql: string) => Promise<{ rows: R[] }> }): Promise<number> {
  const { rows } = await db.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid as number;
}

test("a time that was read as text is the same moment when it is written again, whatever the database's own style", async () => {
  await withClient(url, async (client) => {
    const name = `"${new URL(url).pathname.slice(1)}"`;
    await client.query(`ALTER DATABASE ${name} SET DateStyle = 'SQL, DMY'`);
    await client.query(`ALTER DATABASE ${name} SET TimeZone = 'Asia/Kolkata'`);
  });
  await using db = await open(url);
  const { rows } = await db.query<{ text: string }>(
    "SELECT TIMESTAMPTZ '2026-03-04 05:06:07+00' ::text AS text",
  );
  const { rows: again } = await db.query(
    "SELECT $1::timestamptz = TIMESTAMPTZ '2026-03-04 05:06:07+00' AS same",
    [rows[0]?.text],
  );
  expect(again).toEqual([{ same: true }]);
});

describe("what the server can do", () => {
  test("a real server can do everything", async () => {
    await using db = await open(url);
    expect(db.capabilities).toMatchObject({
      serverVersion: expect.stringMatching(/^\d+\.\d+$/),
      vector: undefined,
      vectorAvailable: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      copy: true,
      advisoryLocks: true,
      statementTimeout: true,
      concurrentSessions: true,
      createIndexConcurrently: true,
    });
  });

  test("pgvector is created where every service finds it, by two services at once too", async () => {
    await using one = await open(url, {}, "one");
    await using two = await open(url, {}, "two");
    const found = await Promise.all([ensureVector(one), ensureVector(two)]);
    for (const { vector, extensions } of found) {
      expect(vector).toEqual({ version: one.capabilities.vectorAvailable, schema: "public" });
      expect(extensions).toContain("vector");
    }
    const distance = await two.query<{ distance: number }>("SELECT $1::vector <-> $2::vector AS distance", [
      toVectorParameter(new Float32Array([1, 2, 3])),
      toVectorParameter(new Float32Array([1, 2, 7])),
    ]);
    expect(distance.rows).toEqual([{ distance: 4 }]);
  });

  test("pgvector is found in a schema of its own", async () => {
    await withClient(url, (client) => client.query("CREATE SCHEMA ext; CREATE EXTENSION vector SCHEMA ext"));
    await using db = await open(url);
    expect(db.capabilities.vector?.schema).toBe("ext");
    expect((await db.query("SELECT '[1]'::vector <-> '[3]'::vector AS d")).rows).toEqual([{ d: 2 }]);
  });
});

describe("schemas", () => {
  test("a service's names come first, and people find them by hand as well", async () => {
    await withClient(url, (client) =>
      client.query("CREATE TABLE things (origin text); INSERT INTO things VALUES ('public')"),
    );
    await using db = await open(url, {}, "shop");
    await db.query("CREATE TABLE shop.things (origin text)");
    await db.query("CREATE TABLE shop.songs (origin text)");
    await db.query("INSERT INTO shop.things VALUES ('shop')");
    expect((await db.query("SELECT origin FROM things")).rows).toEqual([{ origin: "shop" }]);
    // What people had under that name stays theirs; what they had not is found.
    const byHand = await withClient(url, async (client) => [
      (await client.query("SELECT origin FROM things")).rows,
      (await client.query("SELECT origin FROM songs")).rows,
    ]);
    expect(byHand).toEqual([[{ origin: "public" }], []]);
  });

  test("many services may come at the same time", async () => {
    const names = ["alpha", "beta", "gamma", "delta"];
    const databases = await Promise.all(names.flatMap((name) => [open(url, {}, name), open(url, {}, name)]));
    await Promise.all(databases.map((db) => db[Symbol.asyncDispose]()));
    const path = await withClient(url, async (client) => (await client.query("SHOW search_path")).rows[0]);
    for (const name of names)
      expect(path.search_path.match(new RegExp(`\\b${name}\\b`, "g"))).toHaveLength(1);
  });

  test("a role that may not change the database still works", async () => {
    await using owner = await open(url, {}, "shop");
    await owner.query("DROP ROLE IF EXISTS clerk");
    await owner.query("CREATE ROLE clerk LOGIN PASSWORD 'clerk'");
    await owner.query("GRANT USAGE ON SCHEMA shop TO clerk");
    await withClient(url, (client) =>
      client.query(`ALTER DATABASE "${new URL(url).pathname.slice(1)}" RESET search_path`),
    );
    const clerkUrl = Object.assign(new URL(url), { username: "clerk", password: "clerk" });
    await using db = await open(clerkUrl.href, {}, "shop");
    const { rows } = await db.query<{ schema: string }>("SELECT current_schema() AS schema");
    expect(rows).toEqual([{ schema: "shop" }]);
  });
});

describe("errors", () => {
  test("a statement's error says what it means, and the connection goes on", async () => {
    await using db = await open(url, { DB_POOL_SIZE: "1", DB_MAX_OVERFLOW: "0" });
    await db.query("CREATE TABLE shop.images (path text PRIMARY KEY, width int CHECK (width > 0))");
    await db.query("INSERT INTO images VALUES ('a.png', 1)");
    const pid = await backendPid(db);
    await expect(db.query("INSERT INTO images VALUES ('a.png', 1)")).rejects.toMatchObject({
      kind: "already-exists",
      message: expect.stringContaining("(path)=(a.png)"),
      metadata: { sqlstate: "23505", table: "images", constraint: "images_pkey" },
    });
    await expect(db.query("INSERT INTO images VALUES ('b.png', 0)")).rejects.toMatchObject({
      kind: "invalid-argument",
    });
    await expect(db.query("SELECT * FROM nothing")).rejects.toMatchObject({ kind: "failed-precondition" });
    await expect(db.query("SELEC")).rejects.toMatchObject({ code: "42601" });
    expect(await backendPid(db)).toBe(pid);
  });

  test("a statement longer than it may take ends in the server", async () => {
    await using db = await open(url, { DB_STATEMENT_TIMEOUT: "100ms" });
    await expect(db.query("SELECT pg_sleep(20)")).rejects.toMatchObject({ kind: "deadline-exceeded" });
  });

  test("what cannot be reached or is refused is told apart, without the password", async () => {
    const closed = Object.assign(new URL(url), { port: "1" });
    await expect(open(closed.href)).rejects.toMatchObject({ kind: "unavailable", retryAfterMs: 500 });
    const wrong = Object.assign(new URL(url), { password: "sesame" });
    const refusal = await open(wrong.href).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ kind: "failed-precondition" });
    expect(String(refusal)).not.toContain("sesame");
    const missing = Object.assign(new URL(url), { pathname: "/nowhere" });
    await expect(open(missing.href)).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining('"nowhere" does not exist'),
    });
  });
});

describe("the pool", () => {
  test("grows to its limit, then makes others wait, then refuses", async () => {
    await using db = await open(url, { DB_POOL_SIZE: "1", DB_MAX_OVERFLOW: "1", DB_POOL_TIMEOUT: "1s" });
    const sleeping = [db.query("SELECT pg_sleep(3)"), db.query("SELECT pg_sleep(3)")];
    await expect(db.query("SELECT 1")).rejects.toMatchObject({
      kind: "resource-exhausted",
      retryAfterMs: 500,
    });
    expect(db.poolStats().total).toBe(2);
    await Promise.all(sleeping);
    expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("without pooling every use has a connection of its own, and leaves none", async () => {
    await using db = await open(url, { DB_POOL_PROFILE: "single" });
    const pids = [await backendPid(db), await backendPid(db), await backendPid(db)];
    expect(new Set(pids).size).toBe(3);
    expect(await eventually(() => db.poolStats().total, 0)).toBe(0);
  });

  test("a connection past its age is replaced", async () => {
    await using db = await open(url, { DB_POOL_RECYCLE: "1s" });
    const pid = await backendPid(db);
    await sleep(1100);
    expect(await backendPid(db)).not.toBe(pid);
  });

  test("connections that the server has ended are replaced, and end nothing of ours", async () => {
    await using db = await open(url);
    await Promise.all([1, 2, 3].map(() => db.query("SELECT pg_sleep(0.05)")));
    expect(db.poolStats().idle).toBe(3);
    const outcome = db.query("SELECT pg_sleep(20)").catch((error: unknown) => error);
    await sleep(100);
    await withClient(url, (client) =>
      client.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      ),
    );
    expect(await outcome).toMatchObject({ kind: "unavailable" });
    expect(await eventually(() => db.poolStats().total, 0)).toBe(0);
    expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("a connection on which the network has fallen silent is not handed out", async () => {
    await using proxy = await startProxy(url);
    await using db = await open(proxy.url);
    await db.query("SELECT 1");
    await sleep(1100);
    proxy.silence();
    expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("a pooler that takes no settings at the start gets them afterwards", async () => {
    const refusal = Buffer.from("SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0");
    const header = Buffer.from("E\0\0\0\0");
    header.writeInt32BE(refusal.length + 4, 1);
    await using proxy = await startProxy(url, (first) =>
      first.includes("\0options\0") ? Buffer.concat([header, refusal]) : undefined,
    );
    await using db = await open(proxy.url, { DB_STATEMENT_TIMEOUT: "7s" });
    const { rows } = await db.query(
      "SELECT current_schema() AS schema, current_setting('statement_timeout') AS limit",
    );
    expect(rows).toEqual([{ schema: "shop", limit: "7s" }]);
  });
});

test("DB_ECHO logs every statement, TypeORM's too, and no parameter", async () => {
  const lines: unknown[] = [];
  const logger = silentLogger();
  logger.debug = (fields: unknown) => lines.push(fields);
  const config = configFor(url, { DB_ECHO: "true" });
  await using db = await openDatabase({ config, schema: "shop", applicationName: "test", logger });
  await db.query("SELECT $1::text AS word", ["secret"]);
  await db.transaction((client) => client.query("SELECT $1::text AS other", ["secret"]));
  const source = await openDataSource(db, { entities: [], migrations: [] });
  await source.query("SELECT $1::text AS third", ["secret"]);
  await source.destroy();
  const logged = JSON.stringify(lines);
  for (const sql of ["AS word", "BEGIN", "AS other", "COMMIT", "AS third"]) expect(logged).toContain(sql);
  expect(logged).not.toContain("secret");
});
