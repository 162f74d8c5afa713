import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { Client } from "pg";
import { ensureVector, type EmbeddedServer } from "../src/index.ts";
import { open, startServer, withClient } from "./fixtures.ts";

// Servers start and end here, which takes its time on a busy machine.
jest.setTimeout(120_000);

// Where PGlite behind its front differs from a real server, and where it must not.

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startServer("pglite");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function connected(options?: string): Promise<Client> {
  const client = new Client({ connectionString: server.url, ...(options === undefined ? {} : { options }) });
  client.on("error", () => {});
  await client.connect();
  return client;
}

const ask = async (client: Client, sql: string): Promise<unknown> =>
  (await client.query({ name: "ask", text: sql, values: [1] })).rows[0];

test("what it cannot do is found out, and what it can do stays", async () => {
  await using db = await open(server.url);
  expect(db.capabilities).toMatchObject({
    copy: false,
    advisoryLocks: false,
    statementTimeout: false,
    concurrentSessions: false,
    createIndexConcurrently: false,
  });
  expect((await ensureVector(db)).vector).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    schema: "public",
  });
  expect((await db.query("SELECT '[1,2]'::vector <-> '[4,6]'::vector AS d")).rows).toEqual([{ d: 5 }]);
});

test("two premises of the detection: two connections share a backend, and locks exclude nobody", async () => {
  const locked = await withClient(server.url, (one) =>
    withClient(server.url, async (two) => [
      (await one.query("SELECT pg_backend_pid() AS pid, pg_try_advisory_lock(1) AS locked")).rows[0],
      (await two.query("SELECT pg_backend_pid() AS pid, pg_try_advisory_lock(1) AS locked")).rows[0],
    ]),
  );
  expect(locked[0]).toEqual(locked[1]);
  expect(locked[0].locked).toBe(true);
});

describe("clients at the same time", () => {
  test("each gets the answers to its own questions", async () => {
    await using db = await open(server.url);
    const asked = Array.from({ length: 300 }, (_, i) => i);
    // Different numbers of parameters: another client's statement would not even fit.
    const answers = await Promise.all(
      asked.map(async (i) => {
        const values = Array.from({ length: 1 + (i % 7) }, (_, j) => i + j);
        const sum = values.map((_, j) => `$${j + 1}::int`).join(" + ");
        const { rows } = await db.query<{ sum: number }>(`SELECT ${sum} AS sum`, values);
        return rows[0]?.sum === values.reduce((a, b) => a + b, 0);
      }),
    );
    expect(answers.filter(Boolean)).toHaveLength(asked.length);
    expect(db.poolStats().total).toBeGreaterThan(1);
  });

  test("transactions do not mix", async () => {
    await using db = await open(server.url);
    await db.query("CREATE TABLE IF NOT EXISTS steps (n serial, who int)");
    await db.query("TRUNCATE steps");
    await Promise.all(
      [1, 2, 3, 4].map((who) =>
        db
          .transaction(async (client) => {
            for (let i = 0; i < 5; i++) await client.query("INSERT INTO steps (who) VALUES ($1)", [who]);
            if (who === 3) throw new Error("changed my mind");
          })
          .catch(() => {}),
      ),
    );
    const { rows } = await db.query<{ who: number }>("SELECT who FROM steps ORDER BY n");
    const sequence = rows.map((row) => row.who);
    expect(sequence).toHaveLength(15);
    for (let i = 0; i < 15; i += 5) expect(new Set(sequence.slice(i, i + 5)).size).toBe(1);
    expect(sequence).not.toContain(3);
  });

  test("each has the settings that it connected with", async () => {
    await using shop = await open(server.url, {}, "shop");
    await using depot = await open(server.url, {}, "depot");
    for (const db of [shop, depot, shop]) {
      const { rows } = await db.query<{ schema: string }>("SELECT current_schema() AS schema");
      expect(rows[0]?.schema).toBe(db.schema);
    }
    // Who connects by hand gets the database's own search_path, also where another session is older than it.
    const byHand = await withClient(server.url, (client) => client.query("SHOW search_path"));
    expect(byHand.rows[0].search_path).toMatch(/"\$user", public, .*depot/);
  });

  test("prepared statements of the same name are different ones", async () => {
    const [one, two] = await Promise.all([connected(), connected()]);
    expect(await ask(one, "SELECT $1::int + 1 AS n")).toEqual({ n: 2 });
    expect(await ask(two, "SELECT $1::int + 2 AS n")).toEqual({ n: 3 });
    expect(await ask(one, "SELECT $1::int + 1 AS n")).toEqual({ n: 2 });
    await Promise.all([one.end(), two.end()]);
  });

  test("a client that goes away in a transaction takes it with it", async () => {
    await withClient(server.url, (client) => client.query("CREATE TABLE IF NOT EXISTS left_over (n int)"));
    const gone = await connected();
    await gone.query("BEGIN");
    await gone.query("INSERT INTO left_over VALUES (1)");
    const waiting = withClient(server.url, (client) => client.query("SELECT * FROM left_over"));
    (gone as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect((await waiting).rows).toEqual([]);
  });
});

test("a client that goes away while its transaction begins stops nobody", async () => {
  const gone = await connected();
  gone.query("BEGIN; SELECT pg_sleep(0.1)").catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 20));
  (gone as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  await withClient(server.url, async (client) => {
    expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });
});

test("errors arrive as they do from a real server, and the connection goes on", async () => {
  await using db = await open(server.url);
  await expect(db.query("SELECT 1 / $1::int", [0])).rejects.toMatchObject({ kind: "invalid-argument" });
  await expect(db.query("SELECT * FROM nothing")).rejects.toMatchObject({ kind: "failed-precondition" });
  expect((await db.query("SELECT $1::text AS text", ["x".repeat(3_000_000)])).rows).toEqual([
    { text: "x".repeat(3_000_000) },
  ]);
});

test.each(["COPY words FROM STDIN", "SELECT 1; copy words (word) from stdin with (format binary)"])(
  "%s is refused instead of ending the server",
  async (sql) => {
    await withClient(server.url, async (client) => {
      await client.query("CREATE TABLE IF NOT EXISTS words (word text)");
      await client.query("BEGIN");
      await expect(client.query(sql)).rejects.toMatchObject({ code: "0A000" });
      await expect(client.query("SELECT 1")).rejects.toMatchObject({ code: "25P02" });
      await client.query("ROLLBACK");
      expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    });
  },
);

test("nobody gets in without the password", async () => {
  const url = new URL(server.url);
  url.password = "guess";
  await expect(withClient(url.href, async () => {})).rejects.toMatchObject({ code: "28P01" });
  await expect(open(url.href)).rejects.toMatchObject({ kind: "failed-precondition" });
});

test("a setting that does not exist is refused to the one who asks for it", async () => {
  const client = await connected("-c no_such_setting=1");
  await expect(client.query("SELECT 1")).rejects.toMatchObject({ code: "42704" });
  await withClient(server.url, async (other) => {
    expect((await other.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });
});
