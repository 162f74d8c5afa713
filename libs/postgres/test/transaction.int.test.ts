import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
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
  db = await open(url);
  await db.query("CREATE TABLE shop.counters (name text PRIMARY KEY, value int)");
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => db.query("TRUNCATE counters"));

const names = async (): Promise<string[]> =>
  (await db.query<{ name: string }>("SELECT name FROM counters ORDER BY name")).rows.map((row) => row.name);

/** Statements of our pool that run at this moment. */
const running = (): Promise<number> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'test shop' AND state = 'active'",
    );
    return rows[0]?.n ?? -1;
  });

describe("commit and roll back", () => {
  test("keeps all of it, and gives the result", async () => {
    const result = await db.transaction(async (client) => {
      await client.query("INSERT INTO counters VALUES ('a', 1)");
      await client.query("INSERT INTO counters VALUES ('b', 1)");
      return "done";
    });
    expect(result).toBe("done");
    expect(await names()).toEqual(["a", "b"]);
  });

  test("keeps nothing when the work throws, and throws its error on", async () => {
    const reason = new KindredError("failed-precondition", "not today");
    const work = db.transaction(async (client) => {
      await client.query("INSERT INTO counters VALUES ('a', 1)");
      throw reason;
    });
    await expect(work).rejects.toBe(reason);
    expect(await names()).toEqual([]);
    expect(db.poolStats().idle).toBe(db.poolStats().total);
  });

  test("says so when a failed statement was overlooked", async () => {
    const work = db.transaction(async (client) => {
      await client.query("INSERT INTO counters VALUES ('a', 1)");
      await client.query("INSERT INTO counters VALUES ('a', 2)").catch(() => {});
    });
    await expect(work).rejects.toMatchObject({ kind: "aborted" });
    expect(await names()).toEqual([]);
  });

  test("a statement's error is translated", async () => {
    const work = db.transaction((client) => client.query("INSERT INTO counters VALUES (NULL, 1)"));
    await expect(work).rejects.toMatchObject({ kind: "invalid-argument", metadata: { column: "name" } });
  });
});

/** The value that a setting has in a transaction with these options. */
const show = (name: string, options: Parameters<Database["transaction"]>[1]): Promise<string> =>
  db.transaction(async (client) => {
    const { rows } = await client.query<{ value: string }>("SELECT current_setting($1) AS value", [name]);
    return rows[0]?.value as string;
  }, options);

describe("options", () => {
  test("settings hold for the transaction only", async () => {
    const settings = { work_mem: "12MB", enable_seqscan: "off", "kindred.note": "it's; DROP TABLE counters" };
    expect(await show("work_mem", { settings })).toBe("12MB");
    expect(await show("kindred.note", { settings })).toBe("it's; DROP TABLE counters");
    expect(await show("work_mem", {})).toBe("4MB");
    expect(await show("random_page_cost", { settings: { random_page_cost: 2.5 } })).toBe("2.5");
  });

  test("a setting with a bad value fails, and the connection goes on", async () => {
    await expect(show("work_mem", { settings: { work_mem: "lots" } })).rejects.toMatchObject({
      kind: "invalid-argument",
    });
    expect(await show("work_mem", {})).toBe("4MB");
  });

  test("isolation and read-only", async () => {
    expect(await show("transaction_isolation", { isolation: "repeatable read", readOnly: true })).toBe(
      "repeatable read",
    );
    const write = db.transaction((client) => client.query("INSERT INTO counters VALUES ('a', 1)"), {
      readOnly: true,
    });
    await expect(write).rejects.toMatchObject({ kind: "unavailable" });
  });

  test("a limit of 0 lifts the limit of each statement", async () => {
    expect(await show("statement_timeout", {})).toBe("30s");
    expect(await show("statement_timeout", { timeoutMs: 0 })).toBe("0");
  });
});

describe("giving up", () => {
  test("an abort interrupts the statement in the server", async () => {
    const abort = new AbortController();
    const outcome = db
      .transaction((client) => client.query("SELECT pg_sleep(25)"), { signal: abort.signal })
      .catch((error: unknown) => error);
    while ((await running()) === 0) await sleep(10);
    abort.abort();
    expect(await outcome).toMatchObject({ kind: "cancelled" });
    expect(await eventually(running, 0)).toBe(0);
  });

  test("the error that was the reason is the one that is thrown", async () => {
    const abort = new AbortController();
    const reason = new KindredError("deadline-exceeded", "no time left");
    const work = db.transaction(async () => abort.abort(reason), { signal: abort.signal });
    await expect(work).rejects.toBe(reason);
    await expect(db.transaction(async () => 1, { signal: abort.signal })).rejects.toBe(reason);
  });

  test("nothing is kept when the abort comes after the last statement", async () => {
    const abort = new AbortController();
    const work = db.transaction(
      async (client) => {
        await client.query("INSERT INTO counters VALUES ('a', 1)");
        abort.abort();
      },
      { signal: abort.signal },
    );
    await expect(work).rejects.toMatchObject({ kind: "cancelled" });
    expect(await names()).toEqual([]);
  });

  test("the limit is the whole transaction's", async () => {
    const work = db.transaction(
      async (client) => {
        for (let i = 0; i < 200; i++) await client.query("SELECT pg_sleep(0.1)");
      },
      { timeoutMs: 300 },
    );
    await expect(work).rejects.toMatchObject({ kind: "deadline-exceeded" });
    expect(await eventually(running, 0)).toBe(0);
  });

  test("waiting for a connection can be given up, and nothing is lost by it", async () => {
    await using small = await open(url, { DB_POOL_SIZE: "1", DB_MAX_OVERFLOW: "0" });
    const holding = small.transaction((client) => client.query("SELECT pg_sleep(0.3)"));
    const waiting = small.transaction(async () => 1, { signal: AbortSignal.timeout(50) });
    await expect(waiting).rejects.toMatchObject({ kind: "deadline-exceeded" });
    await holding;
    expect((await small.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    expect(small.poolStats()).toEqual({ total: 1, idle: 1, waiting: 0, max: 1 });
  });
});
