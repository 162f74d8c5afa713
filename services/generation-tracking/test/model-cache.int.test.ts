import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import type { ModelCacheEntry, ModelCacheEventSchema } from "@kindred/contracts/generation-tracking/v1";
import { databaseSettings, migrate, openDatabase } from "@kindred/postgres";
import { silentLogger, testDatabase } from "@kindred/testing";
import { DATABASE_SCHEMA, migrations } from "../src/adapters/postgres/migrations.ts";
import { useFixture } from "./use-fixture.ts";

type Event = MessageInitShape<typeof ModelCacheEventSchema>;

const fixture = useFixture();

const at = (iso: string) => timestampFromDate(new Date(iso));
const event = (fields: Partial<Event>): Event => ({
  modelType: "text-embedding",
  modelName: "sentence-transformers/all-MiniLM-L6-v2",
  cachePath: "/cache/minilm.onnx",
  ...(fields as Event),
});
const report = (...events: Event[]) => fixture.modelCache.reportModelCache({ events });
const list = async (): Promise<ModelCacheEntry[]> => (await fixture.modelCache.listModelCache({})).entries;

describe("reporting", () => {
  test("makes an entry, with everything that is known", async () => {
    await report(
      event({ sizeBytes: 3n * 2n ** 19n, lastAccessed: at("2026-11-20T12:00:00.123456Z"), accesses: 7 }),
    );
    const [entry, ...others] = await list();
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      modelType: "text-embedding",
      modelName: "sentence-transformers/all-MiniLM-L6-v2",
      cachePath: "/cache/minilm.onnx",
      sizeMb: 1.5,
      lastAccessed: at("2026-11-20T12:00:00.123456Z"),
      accessCount: 7n,
    });
    const createdAt = timestampMs(entry?.createdAt as NonNullable<ModelCacheEntry["createdAt"]>);
    expect(Math.abs(createdAt - Date.now())).toBeLessThan(60_000);
  });

  test("an event without a size and a time: the size stays unknown, the time is that of its arrival", async () => {
    await report(event({}));
    const [entry] = await list();
    expect(entry?.sizeMb).toBeUndefined();
    expect(entry?.accessCount).toBe(0n);
    const used = timestampMs(entry?.lastAccessed as NonNullable<ModelCacheEntry["lastAccessed"]>);
    expect(Math.abs(used - Date.now())).toBeLessThan(60_000);
  });

  test("adds to the entry that is there: uses are summed, the last time and the newest known size count", async () => {
    await report(event({ sizeBytes: 2n ** 20n, lastAccessed: at("2026-11-20T12:00:00Z"), accesses: 1 }));
    await report(event({ sizeBytes: 2n ** 21n, lastAccessed: at("2026-11-20T13:00:00Z"), accesses: 2 }));
    await report(event({ lastAccessed: at("2026-11-20T11:00:00Z"), accesses: 4 }));
    expect(await list()).toMatchObject([
      { sizeMb: 2, lastAccessed: at("2026-11-20T13:00:00Z"), accessCount: 7n },
    ]);
  });

  test("several events for one entry in one call, new and old ones together", async () => {
    await report(event({ accesses: 1, cachePath: "/a" }));
    await report(
      event({
        accesses: 1,
        cachePath: "/b",
        sizeBytes: 5n * 2n ** 20n,
        lastAccessed: at("2026-01-01T00:00:00Z"),
      }),
      event({ accesses: 10, cachePath: "/a" }),
      event({
        accesses: 2,
        cachePath: "/b",
        sizeBytes: 4n * 2n ** 20n,
        lastAccessed: at("2026-01-03T00:00:00Z"),
      }),
      event({ accesses: 100, cachePath: "/a" }),
      event({ accesses: 3, cachePath: "/b", lastAccessed: at("2026-01-02T00:00:00Z") }),
    );
    const entries = await list();
    expect(entries.map((entry) => [entry.cachePath, entry.accessCount, entry.sizeMb])).toEqual([
      ["/a", 111n, undefined],
      ["/b", 6n, 4],
    ]);
    expect(entries[1]?.lastAccessed).toEqual(at("2026-01-03T00:00:00Z"));
  });

  test("type, name and path together are the key", async () => {
    await report(
      event({ accesses: 1 }),
      event({ accesses: 1, modelType: "other" }),
      event({ accesses: 1, modelName: "other" }),
      event({ accesses: 1, cachePath: "other" }),
    );
    expect((await list()).map((entry) => entry.accessCount)).toEqual([1n, 1n, 1n, 1n]);
  });

  test("nothing is lost between batches that come at once, whatever their order", async () => {
    const paths = Array.from({ length: 50 }, (_, i) => `/cache/${i}`);
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        report(...(i % 2 ? paths : paths.toReversed()).map((cachePath) => event({ cachePath, accesses: 1 }))),
      ),
    );
    const entries = await list();
    expect(entries).toHaveLength(50);
    expect(new Set(entries.map((entry) => entry.accessCount))).toEqual(new Set([20n]));
  });

  test("counts beyond 32 bits, texts at their limits, and what SQL could take for its own", async () => {
    const longest = event({
      modelType: "t".repeat(50),
      modelName: "🦘".repeat(200),
      cachePath: `C:\\${"é".repeat(497)}`,
      accesses: 2 ** 31 - 1,
      sizeBytes: 2n ** 40n,
    });
    await report(longest, longest);
    await report(longest, event({ modelName: `'; DROP TABLE model_cache; --`, cachePath: `{"a,b",NULL}` }));
    const entries = await list();
    expect(entries).toHaveLength(2);
    expect(entries.find((entry) => entry.modelType === longest.modelType)).toMatchObject({
      modelName: longest.modelName,
      cachePath: longest.cachePath,
      accessCount: 3n * (2n ** 31n - 1n),
      sizeMb: 2 ** 20,
    });
    expect(entries.find((entry) => entry.modelType !== longest.modelType)?.cachePath).toBe(`{"a,b",NULL}`);
  });

  test("a thousand events in one call", async () => {
    await report(...Array.from({ length: 1000 }, (_, i) => event({ cachePath: `/${i % 400}`, accesses: 1 })));
    const entries = await list();
    expect(entries).toHaveLength(400);
    expect(entries.reduce((sum, entry) => sum + entry.accessCount, 0n)).toBe(1000n);
  });
});

test("the list has the latest used first, and rows that somebody wrote by hand", async () => {
  await report(
    event({ cachePath: "/old", lastAccessed: at("2026-01-01T00:00:00Z") }),
    event({ cachePath: "/new", lastAccessed: at("2026-01-02T00:00:00Z") }),
  );
  await fixture.db.query(
    "INSERT INTO model_cache (model_name, access_count, created_at) VALUES ('by hand', NULL, '2025-01-01T00:00:00Z')",
  );
  const entries = await list();
  expect(entries.map((entry) => entry.cachePath)).toEqual(["/new", "/old", ""]);
  const { lastAccessed, sizeMb, createdAt, ...byHand } = entries[2] as ModelCacheEntry;
  expect(byHand).toMatchObject({ modelType: "", modelName: "by hand", accessCount: 0n });
  expect([lastAccessed, sizeMb]).toEqual([undefined, undefined]);
  expect(timestampDate(createdAt as NonNullable<typeof createdAt>)).toEqual(new Date("2025-01-01T00:00:00Z"));
});

test("entries that a table has several times become one, and later events add to it", async () => {
  await using opened = await testDatabase();
  await using db = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: opened.url }),
    schema: DATABASE_SCHEMA,
    applicationName: "model-cache-migration-test",
    logger: silentLogger(),
  });
  await migrate(db, { migrations: migrations.slice(0, 1) });
  await db.query(`
    INSERT INTO model_cache (model_type, model_name, cache_path, size_mb, last_accessed, access_count, created_at) VALUES
      ('t', 'twice', '/p', 10,   '2026-01-03', 2147483647, '2026-01-02'),
      ('t', 'once',  '/p', 1,    '2026-01-01', 5,          '2026-01-01'),
      ('t', 'twice', '/p', 20,   '2026-01-04', 2147483647, '2026-01-01'),
      ('t', 'twice', '/p', NULL, '2026-01-05', NULL,       '2026-01-03'),
      ('t', NULL,    '/p', 3,    NULL,         1,          '2026-01-01'),
      ('t', NULL,    '/p', 3,    NULL,         1,          '2026-01-01')`);
  await migrate(db, { migrations });
  const { rows } = await db.query(`
    SELECT id, model_name, size_mb, last_accessed::date::text, access_count, created_at::date::text
      FROM model_cache ORDER BY id`);
  expect(rows).toEqual([
    {
      id: "1",
      model_name: "twice",
      size_mb: 20,
      last_accessed: "2026-01-05",
      access_count: "4294967294",
      created_at: "2026-01-01",
    },
    expect.objectContaining({ id: "2", model_name: "once", access_count: "5" }),
    expect.objectContaining({ id: "5", model_name: null, access_count: "1" }),
    expect.objectContaining({ id: "6", model_name: null, access_count: "1" }),
  ]);
}, 60_000);
