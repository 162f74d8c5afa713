import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import type { Database, EmbeddedServer } from "../src/index.ts";
import { eventually, newDatabase, open, startServer, withClient } from "./fixtures.ts";

// A server starts and ends here, which takes its time on a busy machine.
jest.setTimeout(120_000);

let server: EmbeddedServer;
let url: string;
let db: Database;
beforeAll(async () => {
  server = await startServer("native");
  url = await newDatabase(server);
  // One connection, so that whatever a statement leaves behind meets the next one.
  db = await open(url, { DB_POOL_SIZE: "1", DB_MAX_OVERFLOW: "0" });
  await db.query("CREATE TABLE shop.counters (name text PRIMARY KEY, value int)");
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => db.query("TRUNCATE counters"));

async function backend(): Promise<{ pid: number; workMem: string; ended: boolean }> {
  const { rows } = await db.query<{ pid: number; workMem: string; ended: boolean }>(
    `SELECT pg_backend_pid() AS pid, current_setting('work_mem') AS "workMem",
            now() = statement_timestamp() AS ended`,
  );
  return rows[0] as { pid: number; workMem: string; ended: boolean };
}

test("the settings hold for the statement only, and what it wrote is kept", async () => {
  const { workMem } = await backend();
  const { rows } = await db.statement<{ setting: string }>(
    {
      text: "INSERT INTO counters VALUES ($1, 1) RETURNING current_setting('work_mem') AS setting",
      values: ["a"],
    },
    { settings: { work_mem: "7MB" } },
  );
  expect(rows).toEqual([{ setting: "7MB" }]);
  expect(await backend()).toMatchObject({ workMem, ended: true });
  expect((await db.query("SELECT * FROM counters")).rowCount).toBe(1);
});

test("a failed statement, or setting, leaves nothing behind, and the connection goes on", async () => {
  const { pid } = await backend();
  const failing = db.statement({ text: "INSERT INTO counters VALUES (NULL, $1)", values: [1] });
  await expect(failing).rejects.toMatchObject({ kind: "invalid-argument", metadata: { column: "name" } });
  const statement = { text: "INSERT INTO counters VALUES ('b', $1)", values: [1] };
  await expect(db.statement(statement, { settings: { work_mem: "a lot" } })).rejects.toMatchObject({
    kind: "invalid-argument",
  });
  const reading = db.statement(statement, { readOnly: true });
  await expect(reading).rejects.toMatchObject({ metadata: { sqlstate: "25006" } });
  expect(await backend()).toMatchObject({ pid, ended: true });
  expect((await db.query("SELECT * FROM counters")).rowCount).toBe(0);
});

test("a named statement is prepared once, and again where its connection is new", async () => {
  const statement = { text: "SELECT $1::int + 1 AS sum", values: [1], name: "sum" };
  for (let i = 0; i < 3; i++) {
    const { rows } = await db.statement<{ sum: number }>({ ...statement, values: [i] });
    expect(rows).toEqual([{ sum: i + 1 }]);
  }
  const prepared = "SELECT name FROM pg_prepared_statements";
  expect((await db.query(prepared)).rows).toEqual([{ name: "sum" }]);
  const { pid } = await backend();
  await withClient(url, (client) => client.query("SELECT pg_terminate_backend($1)", [pid]));
  const sum = async () =>
    (await db.statement<{ sum: number }>(statement).catch(() => undefined))?.rows[0]?.sum;
  expect(await eventually(sum, 2)).toBe(2);
});

test.each([
  ["cancelled", (controller: AbortController) => ({ signal: controller.signal })],
  ["deadline-exceeded", () => ({ timeoutMs: 200 })],
] as const)("%s: the statement ends in the server, and the next one is not met", async (kind, limits) => {
  const controller = new AbortController();
  const sleeping = db.statement({ text: "SELECT pg_sleep(60)", values: [] }, limits(controller));
  void sleep(100).then(() => controller.abort());
  await expect(sleeping).rejects.toMatchObject({ kind });
  const active = (): Promise<number> =>
    withClient(url, async (client) => {
      const { rows } = await client.query<{ n: number }>(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'",
      );
      return rows[0]?.n ?? -1;
    });
  expect(await eventually(active, 0)).toBe(0);
  expect(await backend()).toMatchObject({ ended: true });
});

test("nothing is sent when the caller has given up before", async () => {
  const statement = { text: "INSERT INTO counters VALUES ('a', 1)", values: [] };
  await expect(db.statement(statement, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    kind: "cancelled",
  });
  expect((await db.query("SELECT * FROM counters")).rowCount).toBe(0);
});
