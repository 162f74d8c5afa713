import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { testDatabase, type TestDatabase } from "@kindred/testing";
import { databaseUsage, type Database, type TableUsage } from "../src/index.ts";
import { open } from "./fixtures.ts";

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await testDatabase();
  db = await open(database.url, { DB_POOL_SIZE: "3", DB_MAX_OVERFLOW: "2" });
  for (const sql of [
    "CREATE TABLE things (id bigint PRIMARY KEY, note text)",
    "INSERT INTO things SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 5000) AS i",
    "CREATE INDEX things_note_idx ON things (md5(note))",
    "ANALYZE things",
    "CREATE TABLE empty_ones (id int)",
    'CREATE TABLE "Odd ""Name" (id int)',
    "CREATE TABLE days (day date NOT NULL, value int) PARTITION BY RANGE (day)",
    "CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2026-01-02')",
    "CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM ('2026-01-02') TO ('2026-01-03') PARTITION BY HASH (value)",
    "CREATE TABLE days_2_a PARTITION OF days_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    "CREATE TABLE days_2_b PARTITION OF days_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    "INSERT INTO days SELECT date '2026-01-01' + i % 2, i FROM generate_series(1, 2000) AS i",
    "ANALYZE days",
    "CREATE TABLE public.songs (id int PRIMARY KEY)",
    "CREATE TABLE public.nobodys (id int PRIMARY KEY)",
    "CREATE VIEW seen AS SELECT * FROM things",
  ])
    await db.query(sql);
}, 120_000);
afterAll(async () => {
  await db?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const named = (tables: readonly TableUsage[], name: string): TableUsage =>
  tables.find((table) => table.name === name) as TableUsage;

test("has each table of the schema once, by name, with its size, its indexes and its rows", async () => {
  const { schema, tables, serverVersion } = await databaseUsage(db);
  expect({ schema, serverVersion }).toEqual({
    schema: "shop",
    serverVersion: db.capabilities.serverVersion,
  });
  expect(tables.map(({ name }) => name)).toEqual(['Odd "Name', "days", "empty_ones", "things"]);

  const [sizes] = (
    await db.query<{ table: string; indexes: string }>(
      "SELECT pg_table_size('things') AS table, pg_indexes_size('things') AS indexes",
    )
  ).rows;
  expect(named(tables, "things")).toEqual({
    name: "things",
    estimatedRows: 5000n,
    tableBytes: BigInt(sizes?.table as string),
    indexBytes: BigInt(sizes?.indexes as string),
    partitions: 0,
  });
  expect(named(tables, "things").indexBytes).toBeGreaterThan(0n);
  expect(named(tables, "empty_ones")).toEqual({
    name: "empty_ones",
    estimatedRows: 0n,
    tableBytes: 0n,
    indexBytes: 0n,
    partitions: 0,
  });
});

test("partitions count to their table, those below partitions too", async () => {
  const days = named((await databaseUsage(db)).tables, "days");
  expect(days).toMatchObject({ estimatedRows: 2000n, partitions: 3 });
  const { rows } = await db.query<{ bytes: string }>(
    "SELECT sum(pg_table_size(relid)) AS bytes FROM pg_partition_tree('days')",
  );
  expect(days.tableBytes).toBe(BigInt(rows[0]?.bytes as string));
});

test("rows are not known before statistics were gathered, and grow with the table afterwards", async () => {
  await db.query("CREATE TABLE fresh (id int) WITH (autovacuum_enabled = false)");
  await db.query("INSERT INTO fresh SELECT generate_series(1, 10000)");
  expect(named((await databaseUsage(db)).tables, "fresh")).not.toHaveProperty("estimatedRows");
  await db.query("ANALYZE fresh");
  expect(named((await databaseUsage(db)).tables, "fresh").estimatedRows).toBe(10_000n);
  await db.query("INSERT INTO fresh SELECT generate_series(1, 10000)");
  const grown = Number(named((await databaseUsage(db)).tables, "fresh").estimatedRows);
  expect(grown).toBeGreaterThan(19_000);
  expect(grown).toBeLessThan(21_000);
  await db.query("DROP TABLE fresh");
});

test("tables in other schemas belong to it by name; one that is gone is left out", async () => {
  const { tables } = await databaseUsage(db, {
    others: [
      { schema: "public", name: "songs" },
      { schema: "public", name: "gone" },
      { schema: "shop", name: "things" },
    ],
  });
  expect(tables.map(({ name }) => name)).toEqual([
    'Odd "Name',
    "days",
    "empty_ones",
    "public.songs",
    "things",
  ]);
});

test("the pool is this process's at this moment", async () => {
  const { pool } = await databaseUsage(db);
  expect(pool.max).toBe(5);
  expect(pool.total).toBeGreaterThanOrEqual(1);
  expect(pool.idle).toBeLessThanOrEqual(pool.total);
  expect(pool.waiting).toBe(0);
});

test("who asks may give up", async () => {
  await expect(
    databaseUsage(db, { signal: AbortSignal.abort(new Error("nobody waits")) }),
  ).rejects.toBeDefined();
  const { concurrentSessions } = db.capabilities;
  if (!concurrentSessions) {
    process.stdout.write("not run: waiting for a locked table, which needs sessions of their own\n");
    return;
  }
  await db.transaction(async (client) => {
    await client.query("LOCK TABLE empty_ones IN ACCESS EXCLUSIVE MODE");
    await expect(databaseUsage(db, { timeoutMs: 200 })).rejects.toMatchObject({ kind: "deadline-exceeded" });
  });
});
