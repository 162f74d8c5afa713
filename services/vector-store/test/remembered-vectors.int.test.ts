import { afterAll, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import type { Database } from "@kindred/postgres";
import { testDatabase, type TestDatabase } from "@kindred/testing";
import { inProcessSearch } from "../src/adapters/in-process/in-process-search.ts";
import { noteChanges, tableVersion } from "../src/adapters/postgres/vector-changes.ts";
import type { ItemSearch } from "../src/domain/item-ports.ts";
import { addItems, createTables, managedCollection, openTables } from "./json-collections.ts";

const collection = managedCollection(7, 2, "json");
const TABLE = collection.layout.vectors.name;
const stores = new AsyncDisposableStack();
let database: TestDatabase;
let db: Database;
let search: ItemSearch;

beforeAll(async () => {
  database = stores.use(await testDatabase());
  db = stores.use(await openTables(database.url));
}, 60_000);
afterAll(() => stores.disposeAsync());

beforeEach(async () => {
  await db.query(`DROP TABLE IF EXISTS ${TABLE}, ${collection.layout.items?.table.name}`);
  await createTables(db, collection);
  await addItems(db, collection, [
    { key: "a", vector: [1, 0] },
    { key: "b", vector: [2, 0] },
  ]);
  search = inProcessSearch(db, { cacheBytes: 2 ** 20 });
});

async function keys(by = search): Promise<string[]> {
  const { hits } = await by.nearest(
    {
      collection,
      vector: new Uint8Array(Float32Array.of(0, 0).buffer),
      metric: "l2",
      filter: undefined,
      excludedKeys: [],
      group: undefined,
      k: 100,
      candidateLimit: 100,
      scan: { method: "exact" },
      projection: { vector: false, metadata: "none", document: false },
    },
    {},
  );
  return hits.map(({ key }) => key);
}

/** Readings have a signal of their own, and the searches here have none. */
const readings = ({ mock }: jest.SpiedFunction<Database["transaction"]>) =>
  mock.calls.filter(([, limits]) => limits?.signal);

const CHANGES: [string, string][] = [
  ["an insert", `INSERT INTO ${TABLE} (key, embedding) VALUES ('c', '[0, 0]')`],
  ["an update", `UPDATE ${TABLE} SET embedding = '[9, 9]' WHERE key = 'a'`],
  ["a new key", `UPDATE ${TABLE} SET key = 'z' WHERE key = 'b'`],
  ["a deletion", `DELETE FROM ${TABLE} WHERE key = 'a'`],
  ["TRUNCATE", `TRUNCATE ${TABLE}`],
  [
    "a rewritten table",
    `ALTER TABLE ${TABLE} ALTER COLUMN embedding TYPE JSONB USING jsonb_build_array(3 - (embedding ->> 0)::int, 0)`,
  ],
  [
    "what is written while the trigger is off",
    `ALTER TABLE ${TABLE} DISABLE TRIGGER ALL; DELETE FROM ${TABLE} WHERE key = 'b'; ALTER TABLE ${TABLE} ENABLE ALWAYS TRIGGER note_vector_change`,
  ],
  ["a replica's writing", `SET LOCAL session_replication_role = replica; DELETE FROM ${TABLE}`],
];

test.each(CHANGES)("%s by anybody is seen by the next search", async (_, sql) => {
  expect(await keys()).toEqual(["a", "b"]);
  await db.transaction(async (client) => {
    for (const statement of sql.split("; ")) await client.query(statement);
  });
  const fresh = await keys(inProcessSearch(db, { cacheBytes: 0 }));
  expect(fresh).not.toEqual(["a", "b"]);
  expect(await keys()).toEqual(fresh);
});

test("what has not changed is not read again", async () => {
  if (!db.capabilities.concurrentSessions) return skipped("reading in one transaction");
  await keys();
  const loads = jest.spyOn(db, "transaction");
  await keys();
  // The search itself, and no reading.
  expect(loads).toHaveBeenCalledTimes(1);
  loads.mockClear();
  await db.query(`DELETE FROM ${TABLE} WHERE key = 'a'`);
  await keys();
  // A look, reading, and another look.
  expect(loads).toHaveBeenCalledTimes(3);
  loads.mockRestore();
});

test("searches at the same time on a cold cache share one reading", async () => {
  if (!db.capabilities.concurrentSessions) return skipped("reading in one transaction");
  await noteChanges(db, collection.layout.vectors);
  const transactions = jest.spyOn(db, "transaction");
  const found = await Promise.all(Array.from({ length: 5 }, () => keys()));
  expect(new Set(found.map(String))).toEqual(new Set(["a,b"]));
  expect(readings(transactions)).toHaveLength(1);
  transactions.mockRestore();
});

test("a search that missed what another one has read meanwhile does not read it again", async () => {
  if (!db.capabilities.concurrentSessions) return skipped("reading in one transaction");
  await noteChanges(db, collection.layout.vectors);
  const transaction = db.transaction.bind(db);
  const transactions = jest.spyOn(db, "transaction");
  transactions.mockImplementationOnce(async (work, limits) => {
    const missed = await transaction(work, limits);
    expect(await keys()).toEqual(["a", "b"]);
    return missed;
  });
  expect(await keys()).toEqual(["a", "b"]);
  expect(readings(transactions)).toHaveLength(1);
  transactions.mockRestore();
});

test("a table that is larger than the limit is read each time, and none is remembered where the limit is 0", async () => {
  for (const cacheBytes of [0, 20]) {
    const small = inProcessSearch(db, { cacheBytes });
    expect(await keys(small)).toEqual(["a", "b"]);
    await db.query(`UPDATE ${TABLE} SET embedding = '[5, 5]' WHERE key = 'a'`);
    expect(await keys(small)).toEqual(["b", "a"]);
    await db.query(`UPDATE ${TABLE} SET embedding = '[1, 0]' WHERE key = 'a'`);
  }
});

test("a transaction shows in the version when it commits, not when it writes, and not at all when it rolls back", async () => {
  if (!db.capabilities.concurrentSessions) return skipped("two transactions at once");
  const { vectors } = collection.layout;
  await noteChanges(db, vectors);
  const version = (): Promise<string | undefined> => tableVersion(db, db.schema, vectors);
  const before = await version();
  await using other = await openTables(database.url);
  await other
    .transaction(async (client) => {
      await client.query(`INSERT INTO ${TABLE} (key, embedding) VALUES ('never', '[0, 0]')`);
      expect(await version()).toBe(before);
      throw new Error("rolled back");
    })
    .catch(() => {});
  expect(await version()).toBe(before);
  // An older transaction commits after a younger one, which has removed what there was to remove.
  await other.transaction(async (client) => {
    await client.query(`INSERT INTO ${TABLE} (key, embedding) VALUES ('old', '[0, 0]')`);
    for (const key of ["young", "younger"])
      await db.query(`INSERT INTO ${TABLE} (key, embedding) VALUES ($1, '[0, 0]')`, [key]);
    expect(await keys()).toEqual(["young", "younger", "a", "b"]);
  });
  expect(await keys()).toEqual(["old", "young", "younger", "a", "b"]);
});

test("what is noted does not pile up, and a transaction is noted once", async () => {
  await noteChanges(db, collection.layout.vectors);
  for (let i = 0; i < 50; i++) await db.query(`UPDATE ${TABLE} SET updated_at = now()`);
  const { rows } = await db.query<{ count: string }>(
    "SELECT count(*) AS count FROM vector_changes WHERE relation = $1::regclass",
    [TABLE],
  );
  expect(Number(rows[0]?.count)).toBeLessThan(10);
});

test("while others write without pause, every search sees one state that was there", async () => {
  if (!db.capabilities.concurrentSessions) return skipped("writers beside searches");
  await db.query(`TRUNCATE ${TABLE}`);
  await noteChanges(db, collection.layout.vectors);
  await using writer = await openTables(database.url);
  const replicas = [search, inProcessSearch(db, { cacheBytes: 2 ** 20 })];
  const stop = new AbortController();
  let written = 0;
  // Every transaction takes one item away and puts the next one in: whoever sees one state sees ten.
  for (let i = 0; i < 10; i++)
    await db.query(`INSERT INTO ${TABLE} (key, embedding) VALUES ($1, $2)`, [`k${i}`, `[${i}, 0]`]);
  const write = async (): Promise<void> => {
    for (let i = 10; !stop.signal.aborted; i++) {
      await writer.transaction(async (client) => {
        await client.query(`DELETE FROM ${TABLE} WHERE key = $1`, [`k${i - 10}`]);
        await client.query(`INSERT INTO ${TABLE} (key, embedding) VALUES ($1, $2)`, [`k${i}`, `[${i}, 0]`]);
      });
      written = i;
      if (i % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 15));
    }
  };
  const done = write();
  try {
    for (let round = 0; round < 150; round++) {
      const least = written;
      const found = (await keys(replicas[round % 2])).map((key) => Number(key.slice(1)));
      const first = found[0] as number;
      expect(found).toEqual(Array.from({ length: 10 }, (_, i) => first + i));
      // Nothing that was committed before the search began is missing.
      expect(first + 9).toBeGreaterThanOrEqual(least);
    }
  } finally {
    stop.abort();
    await done;
  }
  expect(written).toBeGreaterThan(20);
}, 60_000);

test("who goes away does not end the reading for the others", async () => {
  const controller = new AbortController();
  const asked = {
    collection,
    vector: new Uint8Array(8),
    metric: "l2",
    filter: undefined,
    excludedKeys: [],
    group: undefined,
    k: 2,
    candidateLimit: 2,
    scan: { method: "exact" },
    projection: { vector: false, metadata: "none", document: false },
  } as const;
  const leaving = search.nearest(asked, { signal: controller.signal });
  const staying = search.nearest(asked, {});
  setTimeout(() => controller.abort(), 2);
  await Promise.allSettled([leaving]);
  expect((await staying).hits).toHaveLength(2);
  expect(db.poolStats().waiting).toBe(0);
});

function skipped(what: string): void {
  process.stderr.write(`not run: ${what}, which this server does not have\n`);
}
