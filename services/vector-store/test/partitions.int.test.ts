import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { ConflictPolicy, ElementType, Metric, SearchMethod } from "@kindred/contracts/vector-store/v1";
import { tableSql } from "../src/adapters/postgres/sql.ts";
import { toFilterMessage } from "./filter-message.ts";
import { errorOf, openFixture, streamOf, type Fixture } from "./fixture.ts";
import {
  batchFrom,
  COPIED,
  hasVector,
  keysFrom,
  pack,
  storedItems,
  tablesOf,
  vectorOf,
} from "./items-fixture.ts";

// A collection whose vectors are spread over tables; random searches of such ones are in search-property.int.test.ts.

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  await fixture.clear();
});

const PARTITIONS = 4;
const create = (request: object = {}) =>
  fixture.collections.createCollection({
    name: "things",
    dimensions: 4,
    hashPartitions: PARTITIONS,
    ...request,
  });

async function relations(kind: "p" | "r"): Promise<string[]> {
  const { rows } = await fixture.db.query<{ name: string }>(
    String.raw`SELECT relname AS name FROM pg_class WHERE relname LIKE 'collection\_%' AND relkind = $1 ORDER BY 1`,
    [kind],
  );
  return rows.map(({ name }) => name);
}

const upsert = (
  first: number,
  count: number,
  onConflict: ConflictPolicy = ConflictPolicy.REPLACE,
  seed = 1,
) => fixture.vectors.upsert({ collection: "things", items: batchFrom(first, count, 4, seed), onConflict });

test("without pgvector there are none", async () => {
  await using plain = await openFixture({ pgvector: false });
  const refused = plain.collections.createCollection({ name: "things", dimensions: 4, hashPartitions: 2 });
  expect(await errorOf(refused)).toMatchObject({
    kind: "failed-precondition",
    message: expect.stringContaining("create the collection without hash_partitions"),
  });
  expect((await plain.collections.listCollections({})).collections).toHaveLength(1);
});

test("every partition is a table like the one of a collection that has none, and goes with it", async () => {
  if (!hasVector(fixture)) return;
  const { collection } = await create({ dimensions: 100 });
  expect(collection).toMatchObject({ hashPartitions: PARTITIONS, storedAsJson: false });
  const prefix = await tablesOf(fixture);
  expect(await relations("p")).toEqual([`${prefix}_vectors`]);
  const partitions = Array.from({ length: PARTITIONS }, (_, i) => `${prefix}_vectors_p${i}`);
  expect(await relations("r")).toEqual([`${prefix}_items`, ...partitions]);
  const { rows } = await fixture.db.query<{ storage: string; target: number; collation: string }>(
    `SELECT DISTINCT a.attstorage AS storage, a.attstattarget AS target,
            (SELECT collname FROM pg_collation c JOIN pg_attribute k ON k.attcollation = c.oid
              WHERE k.attrelid = a.attrelid AND k.attname = 'key') AS collation
       FROM pg_attribute a WHERE a.attname = 'embedding' AND a.attrelid = ANY ($1::regclass[])`,
    [[`${prefix}_vectors`, ...partitions].map((name) => tableSql({ schema: "vector_store", name }))],
  );
  expect(rows).toEqual([{ storage: "p", target: 0, collation: "C" }]);

  await fixture.vectors.upsert({ collection: "things", items: batchFrom(0, 10, 100) });
  expect((await fixture.collections.deleteCollection({ name: "things" })).vectorsDeleted).toBe(10n);
  expect([...(await relations("p")), ...(await relations("r"))]).toEqual([]);
});

test("many partitions are made, filled and searched", async () => {
  if (!hasVector(fixture)) return;
  await create({ hashPartitions: 256 });
  await upsert(0, 300);
  const { hits, plan } = await fixture.search.search({
    collection: "things",
    query: { case: "vector", value: { data: pack(vectorOf(7)) } },
    k: 1,
  });
  expect(hits).toMatchObject([{ key: keysFrom(7, 1)[0] }]);
  expect(plan?.method).toBe(SearchMethod.EXACT);
});

describe("writing", () => {
  test.each([
    ["few", 20],
    ["many", COPIED],
  ])("%s items tells new ones from replaced ones", async (_, count) => {
    if (!hasVector(fixture)) return;
    await create();
    expect(await upsert(0, count)).toMatchObject({ inserted: BigInt(count), replaced: 0n });
    expect(await upsert(count / 2, count, ConflictPolicy.REPLACE, 2)).toMatchObject({
      inserted: BigInt(count / 2),
      replaced: BigInt(count / 2),
    });
    expect(await upsert(count, count, ConflictPolicy.SKIP, 3)).toMatchObject({
      inserted: BigInt(count / 2),
      replaced: 0n,
    });
    expect(await errorOf(upsert(0, count, ConflictPolicy.ERROR))).toMatchObject({ kind: "already-exists" });
    const stored = await storedItems(fixture);
    expect(stored.map(({ key }) => key)).toEqual(keysFrom(0, 2 * count));
    expect(stored.map(({ vector }) => vector)).toEqual(
      keysFrom(0, 2 * count).map((_key, i) =>
        vectorOf(i, 4, i < count / 2 ? 1 : i < (3 * count) / 2 ? 2 : 3),
      ),
    );
  });

  test("is spread evenly, ends in one place for a key, and is undone as a whole", async () => {
    if (!hasVector(fixture)) return;
    await create();
    await upsert(0, COPIED);
    const { rows } = await fixture.db.query<{ rows: string }>(
      `SELECT count(*) AS rows FROM ${await tablesOf(fixture)}_vectors GROUP BY tableoid`,
    );
    expect(rows).toHaveLength(PARTITIONS);
    for (const { rows: share } of rows) expect(Number(share)).toBeGreaterThan(COPIED / PARTITIONS / 2);

    const { rejected, ...counts } = await fixture.vectors.upsert({
      collection: "things",
      items: { keys: ["new", "key-000000"], vectors: pack([1, 2, 3, 4], [4, 3, 2, 1]) },
    });
    expect({ rejected, counts }).toMatchObject({ rejected: [], counts: { inserted: 1n, replaced: 1n } });
    // One of a batch is there: none of it is stored.
    const taken = upsert(COPIED - 1, 10, ConflictPolicy.ERROR);
    expect(await errorOf(taken)).toMatchObject({ kind: "already-exists" });
    expect(await storedItems(fixture)).toHaveLength(COPIED + 1);
  });

  test("items are ingested, changed, listed and deleted, by key and by filter", async () => {
    if (!hasVector(fixture)) return;
    await create();
    const { vectors } = fixture;
    const options = { case: "options" as const, value: { collection: "things" } };
    const batch = { case: "batch" as const, value: { sequence: 1n, items: batchFrom(0, 100) } };
    const answers = await Array.fromAsync(
      vectors.ingest(
        streamOf<{ message: typeof options | typeof batch }>({ message: options }, { message: batch }),
      ),
    );
    expect(answers).toMatchObject([{ inserted: 100n }]);
    const changed = {
      collection: "things",
      keys: keysFrom(0, 5),
      metadata: keysFrom(0, 5).map(() => ({ number: 1000 })),
    };
    expect(await vectors.updateMetadata(changed)).toMatchObject({ updated: 5n });
    const byKey = { case: "keys" as const, value: { keys: keysFrom(90, 20) } };
    expect(await vectors.deleteItems({ collection: "things", which: byKey })).toMatchObject({ deleted: 10n });

    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await vectors.scroll({ collection: "things", pageSize: 7, pageToken });
      seen.push(...page.items.map(({ key }) => key));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(keysFrom(0, 90));
    const all = { case: "filter" as const, value: toFilterMessage({ kind: "and", filters: [] }) };
    expect(await vectors.deleteItems({ collection: "things", which: all })).toMatchObject({ deleted: 90n });
  });
});

test("statistics are those of all partitions", async () => {
  if (!hasVector(fixture)) return;
  await create({ dimensions: 500 });
  const { db, vectors, collections } = fixture;
  await vectors.upsert({ collection: "things", items: batchFrom(0, COPIED, 500) });
  const collection = await fixture.store.collections.get("things");
  await fixture.store.items.refreshStatistics(collection);
  const exact = await collections.getCollectionStatistics({ name: "things", exact: true });
  expect(exact).toMatchObject({ rows: BigInt(COPIED), indexedRows: 0n });
  expect(exact.tableSizeBytes).toBeGreaterThan(BigInt(COPIED * 4 * 500));
  expect(exact.lastAnalyzedAt).toBeDefined();
  const { estimatedRows } = await fixture.store.search.state(collection);
  expect(estimatedRows).toBeGreaterThan(0.8 * COPIED);
  expect(estimatedRows).toBeLessThan(1.2 * COPIED);

  await db.query(
    `CREATE INDEX ON ${tableSql(collection.layout.vectors)} USING hnsw (embedding vector_cosine_ops)`,
  );
  fixture.store.forgetState();
  const indexed = await collections.getCollectionStatistics({ name: "things", exact: true });
  expect(indexed).toMatchObject({ indexedRows: BigInt(COPIED), indexes: [{ valid: true }] });
  expect(indexed.indexes[0]?.sizeBytes).toBeGreaterThan(BigInt(COPIED * 4 * 500));
});

test.each([
  ["vectors", ElementType.VECTOR, Metric.COSINE, "vector_cosine_ops"],
  ["half precision", ElementType.HALFVEC, Metric.L2, "halfvec_l2_ops"],
] as const)(
  "the index of each partition is scanned, and the nearest of all are found: %s",
  async (_, elementType, metric, ops) => {
    if (!hasVector(fixture)) return;
    await create({ elementType, metric });
    await upsert(0, 2000);
    const { layout } = await fixture.store.collections.get("things");
    await fixture.db.query(`CREATE INDEX ON ${tableSql(layout.vectors)} USING hnsw (embedding ${ops})`);
    await fixture.db.query(`ANALYZE ${tableSql(layout.vectors)}`);
    fixture.store.forgetState();
    const search = (number: number, more: object = {}) =>
      fixture.search.search({
        collection: "things",
        query: { case: "vector", value: { data: pack(vectorOf(number)) } },
        k: 10,
        ...more,
      });
    let found = 0;
    for (const number of [3, 77, 1500, 5000, 9999]) {
      const scanned = await search(number, { efSearch: 100 });
      expect(scanned.plan?.method).toBe(SearchMethod.HNSW);
      const exact = await search(number, { exact: true });
      const wanted = new Set(exact.hits.map(({ key }) => key));
      found += scanned.hits.filter(({ key }) => wanted.has(key)).length;
      const similarities = scanned.hits.map(({ similarity }) => similarity);
      expect(similarities).toEqual(similarities.toSorted((a, b) => b - a));
    }
    expect(found).toBeGreaterThanOrEqual(49);

    const { postgresPlan } = await fixture.search.explain({
      search: {
        collection: "things",
        query: { case: "vector", value: { data: pack(vectorOf(3)) } },
        efSearch: 100,
      },
    });
    expect(postgresPlan).toMatch(/Merge Append/);
    expect(postgresPlan.match(/Index Scan using collection_\d+_vectors_p\d+_embedding_idx/g)).toHaveLength(
      PARTITIONS,
    );
  },
);
