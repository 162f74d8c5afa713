import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Database } from "@kindred/postgres";
import { testDatabase, type TestDatabase } from "@kindred/testing";
import { inProcessSearch } from "../src/adapters/in-process/in-process-search.ts";
import type { Metric } from "../src/domain/collection.ts";
import type { Filter } from "../src/domain/filter.ts";
import type { ItemQuery, ItemSearch, NearestItems } from "../src/domain/item-ports.ts";
import {
  addItems,
  clusteredVectors,
  createTables,
  managedCollection,
  openTables,
  randomNumbers,
  type TestItem,
} from "./json-collections.ts";

const DIMENSIONS = 64;
const COUNT = 2500;
const CACHE_BYTES = 64 * 2 ** 20;

const stores = new AsyncDisposableStack();
let plain: TestDatabase;
let db: Database;
/** With pgvector, which the other one never had. */
let reference: Database;
const collection = managedCollection(1, DIMENSIONS, "json");
const twin = managedCollection(1, DIMENSIONS, "vector");
const vectors = clusteredVectors(COUNT, DIMENSIONS);
const random = randomNumbers(5);
const items: TestItem[] = vectors.map((vector, i) => ({
  key: `${["ä", "b", "B", "z", "10", "9"][i % 6]}${Math.floor(random() * 1e6)}-${i}`,
  vector,
  ...(i % 3 === 0 && {
    metadata: { shelf: i % 7, kind: i % 2 === 0 ? "even" : null },
    document: `item ${i}`,
  }),
}));

beforeAll(async () => {
  plain = stores.use(await testDatabase());
  db = stores.use(await openTables(plain.url));
  reference = stores.use(await openTables(stores.use(await testDatabase({ extension: true })).url));
  expect(db.capabilities.vector).toBeUndefined();
  await createTables(db, collection);
  await createTables(reference, twin);
  await addItems(db, collection, items);
  await addItems(reference, twin, items);
}, 120_000);
afterAll(() => stores.disposeAsync());

const packed = (vector: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(vector).buffer);

function query(changes: Partial<ItemQuery> = {}): ItemQuery {
  return {
    collection,
    vector: packed(vectors[3] as number[]),
    metric: "cosine",
    filter: undefined,
    excludedKeys: [],
    group: undefined,
    k: 20,
    candidateLimit: 20,
    scan: { method: "exact" },
    projection: { vector: false, metadata: "none", document: false },
    ...changes,
  };
}

const keysOf = ({ hits }: NearestItems): string[] => hits.map(({ key }) => key);

const OPERATORS: Partial<Record<Metric, string>> = {
  cosine: "<=>",
  l2: "<->",
  "inner-product": "<#>",
  l1: "<+>",
};

/** What pgvector's exact search gives. */
async function exactly(
  metric: Metric,
  vector: readonly number[],
  k: number,
  where = "true",
): Promise<{ key: string; distance: number }[]> {
  const { rows } = await reference.query<{ key: string; distance: number }>(
    `SELECT v.key, v.embedding ${OPERATORS[metric]} $1::vector AS distance
       FROM ${twin.layout.vectors.name} v LEFT JOIN ${twin.layout.items?.table.name} i ON i.key = v.key
      WHERE ${where} ORDER BY (v.embedding ${OPERATORS[metric]} $1::vector) + 0, v.key LIMIT ${k}`,
    [JSON.stringify(vector)],
  );
  return rows;
}

/** On the database that Kindred brings along on x86-64, to the last bit; other builds of pgvector add up in another order. */
function expectSame({ hits }: NearestItems, expected: { key: string; distance: number }[]): void {
  if (plain.kind === "native" && process.arch === "x64") {
    // 0 and -0 are one number in PostgreSQL.
    const wanted = expected.map(({ key, distance }) => ({ key, distance: distance + 0 }));
    expect(hits.map(({ key, distance }) => ({ key, distance: distance + 0 }))).toEqual(wanted);
    return;
  }
  const distances = new Map(expected.map(({ key, distance }) => [key, distance]));
  expect(hits).toHaveLength(expected.length);
  for (const [i, { key, distance }] of hits.entries()) {
    expect(Math.abs(distance - (expected[i]?.distance as number))).toBeLessThan(1e-5);
    const own = distances.get(key);
    if (own !== undefined) expect(Math.abs(distance - own)).toBeLessThan(1e-5);
    const next = hits[i + 1];
    if (next?.distance === distance) expect(Buffer.from(key).compare(Buffer.from(next.key))).toBe(-1);
  }
}

const ways: [string, () => ItemSearch][] = [
  ["remembered", () => inProcessSearch(db, { cacheBytes: CACHE_BYTES })],
  ["read by a cursor", () => inProcessSearch(db, { cacheBytes: 0 })],
];

describe.each(ways)("vectors that are %s", (_, open) => {
  const METRICS: Metric[] = ["cosine", "l2", "inner-product", "l1"];

  test.each(METRICS)(
    "come in the order of pgvector's exact search by %s, ties included",
    async (metric) => {
      const search = open();
      let ties = 0;
      for (const at of [0, 3, 777, 2499]) {
        const expected = await exactly(metric, vectors[at] as number[], 300);
        const found = await search.nearest(
          query({ vector: packed(vectors[at] as number[]), metric, k: 300, candidateLimit: 300 }),
          {},
        );
        expectSame(found, expected);
        expect(found).toMatchObject({ candidates: 300, rowsScanned: COUNT });
        ties += expected.filter(({ distance }, i) => distance === expected[i - 1]?.distance).length;
      }
      expect(ties).toBeGreaterThan(20);
    },
    30_000,
  );

  test("pass the filter, and none of the excluded ones are among them", async () => {
    const filter: Filter = { kind: "eq", path: ["shelf"], value: 3 };
    const search = open();
    const expected = await exactly("l2", vectors[3] as number[], 40, "i.metadata -> 'shelf' = '3'");
    const asked = query({ metric: "l2", filter, k: 40, candidateLimit: 40 });
    const found = await search.nearest(asked, {});
    expect(keysOf(found)).toEqual(expected.map(({ key }) => key));
    expect(found.rowsScanned).toBe(items.filter((_item, i) => i % 21 === 3).length);
    const excludedKeys = expected.filter((_hit, i) => i % 2 === 0).map(({ key }) => key);
    const others = await search.nearest({ ...asked, excludedKeys, k: 20, candidateLimit: 20 }, {});
    expect(keysOf(others)).toEqual(expected.filter((_hit, i) => i % 2 === 1).map(({ key }) => key));
    expect(await search.countMatching(collection, filter, 1000, {})).toBe(found.rowsScanned);
    expect(await search.countMatching(collection, filter, 7, {})).toBe(7);
    const none = await search.nearest(query({ filter: { kind: "eq", path: ["shelf"], value: "3" } }), {});
    expect(none).toEqual({ hits: [], candidates: 0, rowsScanned: 0 });
  });

  test("are grouped by their nearest hit; those without the field are one group", async () => {
    const found = await open().nearest(
      query({ group: { path: ["shelf"], size: 2 }, k: 4, candidateLimit: 400 }),
      {},
    );
    const metadata = new Map(items.map((item) => [item.key, (item.metadata as { shelf?: number })?.shelf]));
    const groups = new Map<number | undefined, string[]>();
    for (const { key } of await exactly("cosine", vectors[3] as number[], 400)) {
      const members = groups.get(metadata.get(key)) ?? [];
      if (members.length < 2) groups.set(metadata.get(key), [...members, key]);
    }
    const expected = [...groups].slice(0, 4).flatMap(([group, keys]) => keys.map((key) => ({ group, key })));
    expect(found.hits.map(({ group, key }) => ({ group, key }))).toEqual(expected);
    expect(found.candidates).toBe(400);
  });

  test("come with what the projection wants", async () => {
    const search = open();
    const all = await search.nearest(
      query({ k: 3, candidateLimit: 3, projection: { vector: true, metadata: "all", document: true } }),
      {},
    );
    const byKey = new Map(items.map((item) => [item.key, item]));
    for (const hit of all.hits) {
      const item = byKey.get(hit.key) as TestItem;
      expect(hit).toMatchObject({ metadata: item.metadata ?? {} });
      expect(hit.document).toBe(item.document);
      expect(hit.vector).toEqual(packed(item.vector));
      expect(hit.image).toBeUndefined();
    }
    const some = await search.nearest(
      query({ k: 9, candidateLimit: 9, projection: { vector: false, metadata: ["shelf"], document: false } }),
      {},
    );
    for (const hit of some.hits) {
      const { shelf } = (byKey.get(hit.key)?.metadata ?? {}) as { shelf?: number };
      expect(hit.metadata).toEqual(shelf === undefined ? {} : { shelf });
      expect([hit.vector, hit.document]).toEqual([undefined, undefined]);
    }
  });

  test("have distances by key, in whatever order, and those that are not there are left out", async () => {
    const wanted = [items[5]?.key, "no such key", items[0]?.key] as string[];
    const found = await open().distances(
      {
        ...query({ metric: "l2", projection: { vector: true, metadata: "none", document: false } }),
        keys: wanted,
      },
      {},
    );
    const expected = await exactly("l2", vectors[3] as number[], COUNT);
    const distances = new Map(expected.map(({ key, distance }) => [key, distance]));
    expect(found.map(({ key }) => key).toSorted()).toEqual([items[5]?.key, items[0]?.key].toSorted());
    for (const hit of found) {
      expect(hit.distance).toBeCloseTo(distances.get(hit.key) as number, 5);
      expect(hit.vector).toEqual(packed(items.find(({ key }) => key === hit.key)?.vector as number[]));
    }
  });

  test("a vector that is none ends the search, and its key is named", async () => {
    const other = managedCollection(2, 2, "json");
    await createTables(db, other);
    await addItems(db, other, [{ key: "good", vector: [1, 2] }]);
    const search = open();
    const asked = query({ collection: other, vector: packed([1, 0]), metric: "l2" });
    for (const bad of ["[1]", "[1, 2, 3]", '[1, "2"]', "[1, null]", "{}", "[1, 1e39]"]) {
      await db.query(`INSERT INTO collection_2_vectors (key, embedding) VALUES ('bad', $1)`, [bad]);
      await expect(search.nearest(asked, {})).rejects.toMatchObject({
        kind: "data-loss",
        message: expect.stringContaining('"bad"'),
      });
      await db.query("DELETE FROM collection_2_vectors WHERE key = 'bad'");
      expect(keysOf(await search.nearest(asked, {}))).toEqual(["good"]);
    }
    await db.query("DROP TABLE collection_2_vectors, collection_2_items");
  });

  test("nobody waits long for the others: neither deadline nor caller", async () => {
    const search = open();
    await expect(search.nearest(query(), { timeoutMs: 1 })).rejects.toMatchObject({
      kind: "deadline-exceeded",
    });
    const controller = new AbortController();
    const going = search.nearest(query({ k: 1000, candidateLimit: 1000 }), { signal: controller.signal });
    controller.abort();
    await expect(going).rejects.toMatchObject({ kind: "cancelled" });
    expect(keysOf(await search.nearest(query({ k: 1, candidateLimit: 1 }), {}))).toHaveLength(1);
  });
});
