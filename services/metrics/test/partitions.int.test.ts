import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { migrate, type Database } from "@kindred/postgres";
import { testDatabase } from "@kindred/testing";
import { CreateSystemMetrics1763683200000 } from "../migrations/1763683200000-create-system-metrics.ts";
import { migrations } from "../src/adapters/postgres/migrations.ts";
import { sampleStore } from "../src/adapters/postgres/sample-store.ts";
import { rollupStore } from "../src/adapters/postgres/rollup-store.ts";
import { storage } from "../src/adapters/postgres/storage.ts";
import { keepStorage } from "../src/domain/retention.ts";
import { computeRollups } from "../src/domain/rollups.ts";
import { connect, EMPTY_SAMPLE } from "./metrics-fixture.ts";

const DAY_MS = 86_400_000;
const KEEP = 10 * DAY_MS;
const open = new AsyncDisposableStack();
let db: Database;
let url: string;
beforeAll(async () => {
  ({ url } = open.use(await testDatabase()));
  db = open.use(await connect(url));
}, 120_000);
afterAll(async () => {
  await open.disposeAsync();
});

const round = (logged: object[] = []): Promise<void> =>
  keepStorage(
    {
      storage: storage(db),
      keepMs: { raw: KEEP, minute: 2 * KEEP, hour: 3 * KEEP },
      batchSize: 1000,
      log: { info: (fields) => logged.push(fields), warn: (fields) => logged.push(fields) },
    },
    new AbortController().signal,
  );

/** Rows in each partition that has any, by its name. */
async function spread(): Promise<Record<string, number>> {
  const { rows } = await db.query<{ part: string; n: number }>(
    "SELECT tableoid::regclass::text AS part, count(*)::int AS n FROM system_metrics GROUP BY 1 ORDER BY 1",
  );
  return Object.fromEntries(rows.map(({ part, n }) => [part, n]));
}

/** The partition of the day that was so many days ago. */
const dayName = (ago: number): string =>
  `system_metrics_${new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "")}`;

test("rows from before are moved into their days as they were, and their minutes are computed", async () => {
  await migrate(db, { migrations: [CreateSystemMetrics1763683200000] });
  await db.query(`
    INSERT INTO system_metrics (timestamp, cpu_usage, active_connections, component)
    VALUES (now() - INTERVAL '2 days', 1.5, 3, 'a'), (now() - INTERVAL '2 days', NULL, NULL, 'a'), (now(), 2, NULL, NULL),
           ('1999-12-31', 4, NULL, 'a')`);
  const all =
    "SELECT id, timestamp::text, cpu_usage, active_connections, component FROM system_metrics ORDER BY id";
  const { rows: before } = await db.query(all);
  await migrate(db, { migrations });
  expect((await db.query(all)).rows).toEqual(before);
  expect(await spread()).toEqual({ [dayName(2)]: 2, [dayName(0)]: 1, system_metrics_default: 1 });
  // Ids go on, and users' own statement works as before.
  const { rows } = await db.query<{ id: string }>(
    "INSERT INTO system_metrics (component, cpu_usage) VALUES ('b', 5) RETURNING id",
  );
  expect(rows[0]?.id).toBe("5");
  await computeRollups({ rollups: rollupStore(db) }, new AbortController().signal);
  const { rows: hours } = await db.query(
    "SELECT component, cpu_usage_avg AS cpu, samples::int FROM system_metrics_hours ORDER BY bucket",
  );
  expect(hours).toEqual([
    { component: "a", cpu: 4, samples: 1 },
    { component: "a", cpu: 1.5, samples: 2 },
  ]);
});

test("days to come have partitions, late samples get theirs, and old days are dropped whole", async () => {
  await db.query(
    "INSERT INTO system_metrics (timestamp, component) SELECT now() - i * INTERVAL '1 day', 'late' FROM generate_series(3, 14) i",
  );
  const logged: object[] = [];
  await Promise.all([round(logged), round(logged), round(logged)]);
  await computeRollups({ rollups: rollupStore(db) }, new AbortController().signal);
  await round(logged);
  expect(logged.filter((line) => "err" in line)).toEqual([]);
  const parts = await spread();
  // Of the day that ten days ago lies in, all is kept.
  for (let ago = 2; ago <= 9; ago++) expect(parts).toHaveProperty(dayName(ago));
  for (let ago = 11; ago <= 14; ago++) expect(parts).not.toHaveProperty(dayName(ago));
  expect(parts).not.toHaveProperty("system_metrics_default");
  const { rows } = await db.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'system_metrics'::regclass",
  );
  const names = rows.map(({ name }) => name);
  for (const ago of [0, -1, -2, -3]) expect(names).toContain(dayName(ago));

  // Time goes by: with less to keep, the days go, and not by deleting rows.
  await db.query(
    "INSERT INTO system_metrics (timestamp, component) VALUES (now() - INTERVAL '9 days', 'more')",
  );
  const dropped = await storage(db).dropDaysBefore(new Date(Date.now() - 7 * DAY_MS).toISOString());
  expect(dropped).toContain(dayName(9).slice(-8));
  expect(await spread()).not.toHaveProperty(dayName(9));
});

test("who reads for long has partitions wait, and that is said", async () => {
  await using other = await connect(url);
  // Where all transactions come one after the other nobody can be in the way.
  if (!other.capabilities.concurrentSessions) return;
  await db.query(
    "INSERT INTO system_metrics (timestamp, component) VALUES (now() - INTERVAL '5 days', 'held')",
  );
  await db.query(`DROP TABLE ${dayName(-3)}`);
  const said: string[] = [];
  const keeping = {
    storage: storage(db),
    keepMs: { raw: KEEP, minute: 2 * KEEP, hour: 3 * KEEP },
    batchSize: 1000,
    log: { info: () => {}, warn: (_: object, message: string) => said.push(message) },
  };
  const { signal } = new AbortController();
  await other.transaction(async (client) => {
    await client.query("SELECT FROM system_metrics LIMIT 1");
    await keepStorage(keeping, signal);
  });
  expect(said).toEqual([expect.stringContaining("partitions could not be made")]);
  expect(await storage(db).prepareDays({ ahead: 3, keepMs: KEEP })).toEqual([dayName(-3).slice(-8)]);
});

test("samples of a day that gets its partition at this very moment are all stored", async () => {
  await using other = await connect(url);
  const stores = [sampleStore(db), sampleStore(other)];
  const keeping = storage(db);
  for (let ahead = 4; ahead < 9; ahead++) {
    const time = BigInt(Date.now() + ahead * DAY_MS) * 1000n;
    const inserted = await Promise.all([
      ...Array.from({ length: 12 }, (_, i) =>
        (stores[i % 2] as (typeof stores)[number]).insert([
          { ...EMPTY_SAMPLE, component: "race", timestampMicros: time + BigInt(i) },
        ]),
      ),
      keeping.prepareDays({ ahead, keepMs: KEEP }).then(() => 0),
    ]);
    expect(inserted.reduce((sum, n) => sum + n, 0)).toBe(12);
  }
  const { rows } = await db.query("SELECT FROM system_metrics WHERE component = 'race'");
  expect(rows).toHaveLength(60);
});

test("the way back has every row that is there", async () => {
  const all = "SELECT id, timestamp::text, cpu_usage, component FROM system_metrics ORDER BY id";
  const { rows: before } = await db.query(all);
  const Partition = migrations.at(-1) as (typeof migrations)[number];
  await db.transaction(async (client) => {
    const runner = {
      query: async (sql: string, values: unknown[]) => (await client.query(sql, values)).rows,
    };
    await new Partition().down(runner as never);
  });
  expect((await db.query(all)).rows).toEqual(before);
});
