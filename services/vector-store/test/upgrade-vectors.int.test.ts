import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, ensureVector, migrate, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger, testDatabase, type TestDatabase } from "@kindred/testing";
import { inProcessSearch } from "../src/adapters/in-process/in-process-search.ts";
import { DATABASE_SCHEMA, migrations } from "../src/adapters/postgres/migrations.ts";
import { upgradeVectors, type UpgradeProgress } from "../src/adapters/postgres/upgrade-vectors.ts";
import type { Collection } from "../src/domain/collection.ts";
import {
  addItems,
  clusteredVectors,
  createTables,
  managedCollection,
  type TestItem,
} from "./json-collections.ts";

const TASK = fileURLToPath(new URL("../src/upgrade-vectors.ts", import.meta.url));
const DIMENSIONS = 8;
const COUNT = 4000;

let stores: AsyncDisposableStack;
let database: TestDatabase;
let db: Database;
let collection: Collection;
let items: TestItem[];

async function open(): Promise<Database> {
  return await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: database.url }),
    schema: DATABASE_SCHEMA,
    applicationName: "vector-store-upgrade-test",
    logger: silentLogger(),
  });
}

beforeAll(() => {
  items = clusteredVectors(COUNT, DIMENSIONS).map((vector, i) => ({ key: `item-${i}`, vector }));
});

beforeEach(async () => {
  stores = new AsyncDisposableStack();
  database = stores.use(await testDatabase());
  db = stores.use(await open());
  await migrate(db, { migrations });
  const { rows } = await db.query<{ id: number }>(
    "INSERT INTO collections (name, dimensions, kind) VALUES ('songs', $1, 'managed') RETURNING id",
    [DIMENSIONS],
  );
  collection = managedCollection(rows[0]?.id as number, DIMENSIONS, "json");
  await createTables(db, collection);
  await addItems(db, collection, items);
  await db.query("INSERT INTO images (id, image_path) SELECT i, 'p' || i FROM generate_series(1, 50) i");
  await db.query(
    `INSERT INTO embeddings (id, image_id, embedding, embedding_key, embedding_metadata)
     SELECT i, i, to_jsonb(array_fill(i::float4, '{384}')), 'k', '{"note": "kept"}' FROM generate_series(1, 50) i`,
  );
}, 60_000);
afterEach(() => stores.disposeAsync());

/** The task as the CLI runs it. */
function startTask(): { child: ChildProcess; lines: Record<string, unknown>[]; stderr: () => string } {
  const child = spawn(process.execPath, [TASK], {
    env: { PATH: process.env["PATH"], DATABASE_URL: database.url },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: Record<string, unknown>[] = [];
  let stderr = "";
  createInterface({ input: child.stdout }).on("line", (line) =>
    lines.push(JSON.parse(line) as Record<string, unknown>),
  );
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return { child, lines, stderr: () => stderr };
}

async function runToEnd(): Promise<{ code: number; lines: Record<string, unknown>[]; stderr: string }> {
  const { child, lines, stderr } = startTask();
  const [code] = (await once(child, "close")) as [number];
  return { code, lines, stderr: stderr() };
}

const table = (): string => collection.layout.vectors.name;

async function columnsOf(name: string): Promise<string[]> {
  const { rows } = await db.query<{ column: string }>(
    `SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END
            || ' ' || attstorage::text AS column
       FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
        AND attname LIKE 'embedding%' AND attname NOT IN ('embedding_type', 'embedding_metadata', 'embedding_key')
      ORDER BY attname`,
    [name],
  );
  return rows.map(({ column }) => column);
}

const triggers = async (): Promise<number> => {
  const { rows } = await db.query(
    "SELECT FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal",
    [table()],
  );
  return rows.length;
};

async function stored(): Promise<{ key: string; vector: number[] }[]> {
  const { rows } = await db.query<{ key: string; embedding: string }>(
    `SELECT key, embedding::text FROM ${table()} ORDER BY key`,
  );
  return rows.map(({ key, embedding }) => ({
    key,
    vector: (JSON.parse(embedding) as number[]).map(Math.fround),
  }));
}

/** What should be stored, by key. */
const sorted = (from: readonly TestItem[]): { key: string; vector: number[] }[] =>
  from
    .map(({ key, vector }) => ({ key, vector: vector.map(Math.fround) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));

test("everything becomes pgvector's, and the second time there is nothing to do", async () => {
  const first = await runToEnd();
  expect(first.stderr).toBe("");
  expect(first.code).toBe(0);
  expect(first.lines.at(-1)).toEqual({
    phase: "ready",
    converted: [
      { collection: "images", rows: 50 },
      { collection: "songs", rows: COUNT },
    ],
    refused: [],
  });
  const progress = first.lines.filter(
    (line) => line["collection"] === "songs" && line["phase"] === "convert",
  );
  expect(progress.length).toBeGreaterThan(3);
  expect(progress.at(-1)).toMatchObject({ done: COUNT, total: COUNT });
  expect(await columnsOf(table())).toEqual([`embedding vector(${DIMENSIONS}) not null p`]);
  expect(await columnsOf("embeddings")).toEqual(["embedding vector(384) not null p"]);
  expect(await stored()).toEqual(sorted(items));
  const { rows } = await db.query<{ id: string; first: string; note: string }>(
    `SELECT id, split_part(embedding::text, ',', 1) AS first, embedding_metadata ->> 'note' AS note
       FROM embeddings ORDER BY id`,
  );
  expect(rows).toEqual(
    Array.from({ length: 50 }, (_, i) => ({ id: String(i + 1), first: `[${i + 1}`, note: "kept" })),
  );
  expect(await triggers()).toBe(0);
  const second = await runToEnd();
  expect(second).toMatchObject({ code: 0, lines: [{ phase: "ready", converted: [], refused: [] }] });
}, 60_000);

test("what a killed run has done stays done, and the next one goes on", async () => {
  if (!db.capabilities.concurrentSessions) return skipped("killing a task between two of its statements");
  // Slowly, so that there is a middle to be killed in.
  await db.query(`
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END'`);
  await db.query(`CREATE TRIGGER slow AFTER UPDATE ON ${table()} FOR EACH STATEMENT EXECUTE FUNCTION slow()`);
  let kills = 0;
  for (; kills < 3; kills++) {
    const { child, lines } = startTask();
    const begun = lines.length;
    while (
      lines.slice(begun).filter((line) => line["collection"] === "songs" && line["phase"] === "convert")
        .length < 3
    )
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGKILL");
    await once(child, "close");
    expect(await columnsOf(table())).toEqual([
      "embedding jsonb not null x",
      `embedding_vector vector(${DIMENSIONS}) p`,
    ]);
    // What is written between two runs is not forgotten, nor is what was converted already and is replaced.
    await db.query(`UPDATE ${table()} SET embedding = $1 WHERE key = $2`, [
      JSON.stringify(Array.from({ length: DIMENSIONS }, () => kills + 0.5)),
      `item-${kills}`,
    ]);
  }
  const before = await db.query<{ done: string }>(`SELECT count(embedding_vector) AS done FROM ${table()}`);
  expect(Number(before.rows[0]?.done)).toBeGreaterThan(900);
  expect(Number(before.rows[0]?.done)).toBeLessThan(COUNT);
  await db.query(`DROP TRIGGER slow ON ${table()}`);
  const last = await runToEnd();
  expect(last.code).toBe(0);
  const firstProgress = last.lines.find((line) => line["collection"] === "songs");
  expect(firstProgress?.["done"]).toBe(Number(before.rows[0]?.done));
  const wanted = items.map((item, i) =>
    i < kills ? { key: item.key, vector: Array.from({ length: DIMENSIONS }, () => i + 0.5) } : item,
  );
  expect(await stored()).toEqual(sorted(wanted));
}, 60_000);

test("services write and search all the while, and nothing that they wrote is lost", async () => {
  if (!db.capabilities.concurrentSessions) return skipped("writers beside the upgrade");
  await using other = await open();
  const search = inProcessSearch(other, { cacheBytes: 2 ** 20 });
  const latest = new Map(items.map(({ key, vector }) => [key, vector]));
  const stop = new AbortController();
  const counts = { writes: 0, searches: 0 };
  const write = async (): Promise<void> => {
    for (let i = 0; !stop.signal.aborted; i++) {
      const key = i % 3 === 0 ? `new-${i}` : `item-${(i * 37) % COUNT}`;
      const vector = Array.from({ length: DIMENSIONS }, (_, d) => i + d / 8);
      await other.query(
        `INSERT INTO ${table()} (key, embedding) VALUES ('${key}', '${JSON.stringify(vector)}')
         ON CONFLICT (key) DO UPDATE SET embedding = excluded.embedding`,
      );
      latest.set(key, vector);
      if (i % 5 === 4) {
        await other.query(`DELETE FROM ${table()} WHERE key = $1`, [`item-${i}`]);
        latest.delete(`item-${i}`);
      }
      counts.writes++;
    }
  };
  const look = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const { hits } = await search.nearest(
        {
          collection,
          vector: new Uint8Array(Float32Array.from(items[10]?.vector as number[]).buffer),
          metric: "l2",
          filter: undefined,
          excludedKeys: [],
          group: undefined,
          k: 5,
          candidateLimit: 5,
          scan: { method: "exact" },
          projection: { vector: false, metadata: "none", document: false },
        },
        {},
      );
      expect(hits).toHaveLength(5);
      counts.searches++;
    }
  };
  const others = [write(), look()];
  try {
    const { code, stderr } = await runToEnd();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const enough = counts.writes + 50;
    while (counts.writes < enough) await new Promise((resolve) => setTimeout(resolve, 10));
  } finally {
    stop.abort();
    await Promise.all(others);
  }
  expect(counts.searches).toBeGreaterThan(3);
  expect(await columnsOf(table())).toEqual([`embedding vector(${DIMENSIONS}) not null p`]);
  const wanted = [...latest].map(([key, vector]) => ({ key, vector }));
  expect(await stored()).toEqual(sorted(wanted));
}, 60_000);

test("rows that cannot be converted are named, and their collection stays as it is", async () => {
  const bad = [
    "[1, 2]",
    "{}",
    JSON.stringify(["1", 2, 3, 4, 5, 6, 7, 8]),
    "[1,2,3,4,5,6,7,1e39]",
    "[[1],2,3,4,5,6,7,8]",
  ];
  for (const [i, json] of bad.entries())
    await db.query(`INSERT INTO ${table()} (key, embedding) VALUES ($1, $2)`, [`bad-${i}`, json]);
  const { code, lines, stderr } = await runToEnd();
  expect(code).toBe(1);
  expect(lines.at(-1)).toEqual({
    phase: "ready",
    converted: [{ collection: "images", rows: 50 }],
    refused: [{ collection: "songs", rows: 5, keys: ["bad-0", "bad-1", "bad-2", "bad-3", "bad-4"] }],
  });
  expect(stderr).toContain("songs stays as it is");
  expect(stderr).toContain("bad-0, bad-1");
  expect((await columnsOf(table()))[0]).toBe("embedding jsonb not null x");
  await db.query(`DELETE FROM ${table()} WHERE key LIKE 'bad-%'`);
  expect(await runToEnd()).toMatchObject({
    code: 0,
    lines: expect.arrayContaining([
      { phase: "ready", converted: [{ collection: "songs", rows: COUNT }], refused: [] },
    ]),
  });
}, 60_000);

test("two upgrades do not run at once", async () => {
  if (!db.capabilities.advisoryLocks) return skipped("two upgrades at once");
  await ensureVector(db);
  await using other = await open();
  const begun = Promise.withResolvers<UpgradeProgress>();
  const first = upgradeVectors(db, begun.resolve);
  await begun.promise;
  await expect(upgradeVectors(other, () => {})).rejects.toMatchObject({ kind: "aborted" });
  expect((await first).converted).toHaveLength(2);
  expect(await upgradeVectors(other, () => {})).toEqual({ converted: [], refused: [] });
}, 60_000);

function skipped(what: string): void {
  process.stderr.write(`not run: ${what}, which this server does not have\n`);
}
