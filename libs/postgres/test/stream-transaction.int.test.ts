import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { testDatabase, type TestDatabase } from "@kindred/testing";
import type { PoolClient } from "pg";
import { streamTransaction, type Database } from "../src/index.ts";
import { eventually, open } from "./fixtures.ts";

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await testDatabase();
  db = await open(database.url, { DB_POOL_SIZE: "2", DB_MAX_OVERFLOW: "0" });
  await db.query("CREATE TABLE shop.numbers (n int PRIMARY KEY)");
  await db.query("INSERT INTO numbers SELECT generate_series(1, 5)");
}, 120_000);
afterAll(async () => {
  await db?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const checkedOut = (): number => db.poolStats().total - db.poolStats().idle;
afterEach(() => {
  expect(checkedOut()).toBe(0);
});

/** The numbers from 1 on, one statement each; without end when there is no last one. */
async function* numbers(client: PoolClient, last = Infinity): AsyncGenerator<number> {
  for (let n = 1; n <= last; n++) {
    const { rows } = await client.query<{ n: number }>("SELECT $1::int AS n", [n]);
    yield rows[0]?.n as number;
  }
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const read: T[] = [];
  for await (const each of stream) read.push(each);
  return read;
}

/** Reads one, and looks away. */
async function readOne<T>(stream: AsyncGenerator<T>): Promise<T> {
  const { value } = (await stream.next()) as IteratorYieldResult<T>;
  return value;
}

describe("a stream of a transaction", () => {
  test("gives all in order, and then ends the transaction", async () => {
    expect(await all(streamTransaction(db, (client) => numbers(client, 100)))).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    expect(await all(streamTransaction(db, (client) => numbers(client, 0)))).toEqual([]);
  });

  test("is of one snapshot, and writes nothing", async () => {
    const counted = streamTransaction(db, async function* (client) {
      for (;;) yield (await client.query<{ n: string }>("SELECT count(*) AS n FROM numbers")).rows[0]?.n;
    });
    expect(await readOne(counted)).toBe("5");
    // Where all share one session, this would wait for the transaction.
    if (db.capabilities.concurrentSessions) await db.query("INSERT INTO numbers VALUES (6)");
    for (let i = 0; i < 3; i++) expect(await readOne(counted)).toBe("5");
    await counted.return(undefined);
    const writing = streamTransaction(db, async function* (client) {
      yield await client.query("DELETE FROM numbers");
    });
    await expect(all(writing)).rejects.toMatchObject({ kind: "unavailable" });
    await db.query("DELETE FROM numbers WHERE n = 6");
  });

  test("makes the next batch while the reader looks at one, and no more", async () => {
    let made = 0;
    const counted = streamTransaction(db, async function* (client) {
      for await (const n of numbers(client, 6)) {
        made = n;
        yield n;
      }
    });
    for await (const n of counted) {
      expect(await eventually(() => made, Math.min(n + 1, 6))).toBe(Math.min(n + 1, 6));
      await sleep(20);
      expect(made).toBeLessThanOrEqual(n + 1);
    }
    expect(made).toBe(6);
  });

  test("begins with the first read", async () => {
    const stream = streamTransaction(db, (client) => numbers(client));
    await sleep(20);
    expect(checkedOut()).toBe(0);
    expect(await readOne(stream)).toBe(1);
    expect(checkedOut()).toBe(1);
    await stream.return(undefined);
  });
});

describe("a reader that stops early", () => {
  test("ends the transaction, and nothing is thrown", async () => {
    let returned = false;
    const stream = streamTransaction(db, async function* (client) {
      try {
        yield* numbers(client);
      } finally {
        returned = true;
      }
    });
    for await (const n of stream) if (n === 3) break;
    expect(returned).toBe(true);
    expect(checkedOut()).toBe(0);
  });

  test("by an error of its own gets that one", async () => {
    const reason = new Error("the disk is full");
    const reading = (async () => {
      for await (const n of streamTransaction(db, (client) => numbers(client))) if (n === 2) throw reason;
    })();
    await expect(reading).rejects.toBe(reason);
  });

  test("interrupts the statement that runs", async () => {
    if (!db.capabilities.statementTimeout) return;
    const stream = streamTransaction(db, async function* (client) {
      yield 1;
      await client.query("SELECT pg_sleep(3600)");
    });
    for await (const _ of stream) break;
    expect(checkedOut()).toBe(0);
  });
});

describe("an aborted signal", () => {
  test("ends the transaction while the reader looks away, and rejects its next read", async () => {
    const abort = new AbortController();
    let made = 0;
    const counted = async function* (client: PoolClient): AsyncGenerator<number> {
      for await (const n of numbers(client)) yield (made = n);
    };
    const stream = streamTransaction(db, counted, { signal: abort.signal });
    expect(await readOne(stream)).toBe(1);
    // It waits for the reader.
    expect(await eventually(() => made, 2)).toBe(2);
    const reason = new KindredError("deadline-exceeded", "no time left");
    abort.abort(reason);
    expect(await eventually(checkedOut, 0)).toBe(0);
    await expect(stream.next()).rejects.toBe(reason);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("interrupts the statement that the reader waits for", async () => {
    if (!db.capabilities.statementTimeout) return;
    const abort = new AbortController();
    const stream = streamTransaction(
      db,
      async function* (client) {
        yield 1;
        await client.query("SELECT pg_sleep(3600)");
      },
      { signal: abort.signal },
    );
    expect(await readOne(stream)).toBe(1);
    const next = stream.next();
    abort.abort();
    await expect(next).rejects.toMatchObject({ kind: "cancelled" });
  });

  test("before the first read begins nothing", async () => {
    const begun = streamTransaction(
      db,
      () => {
        throw new Error("it has begun");
      },
      { signal: AbortSignal.abort() },
    );
    await expect(begun.next()).rejects.toMatchObject({ kind: "cancelled" });
  });

  test("so does the end of its time", async () => {
    const stream = streamTransaction(db, (client) => numbers(client), { timeoutMs: 300 });
    expect(await readOne(stream)).toBe(1);
    expect(await eventually(checkedOut, 0)).toBe(0);
    await expect(stream.next()).rejects.toMatchObject({ kind: "deadline-exceeded" });
  });
});

describe("an error", () => {
  test("inside the transaction reaches the reader, behind what was made before it", async () => {
    const reason = new KindredError("failed-precondition", "not today");
    const stream = streamTransaction(db, async function* (client) {
      yield* numbers(client, 2);
      throw reason;
    });
    expect([await readOne(stream), await readOne(stream)]).toEqual([1, 2]);
    await expect(stream.next()).rejects.toBe(reason);
  });

  test("of a statement is translated, also when the reader comes late", async () => {
    const stream = streamTransaction(db, async function* (client) {
      yield 1;
      await client.query("SELECT n / 0 FROM numbers WHERE false OR n::text = '1'");
    });
    expect(await readOne(stream)).toBe(1);
    expect(await eventually(checkedOut, 0)).toBe(0);
    await expect(stream.next()).rejects.toMatchObject({ kind: "invalid-argument" });
  });
});
