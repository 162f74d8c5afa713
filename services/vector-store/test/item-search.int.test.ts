import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, ensureVector, migrate, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger, testDatabase } from "@kindred/testing";
import { itemSearch } from "../src/adapters/postgres/item-search.ts";
import { searchStates } from "../src/adapters/postgres/search-state.ts";
import { migrations } from "../src/adapters/postgres/migrations.ts";
import { COLLECTION, metricsOf, type Collection, type ElementType } from "../src/domain/collection.ts";
import type { Filter } from "../src/domain/filter.ts";
import type { ItemQuery, ItemScan, ItemSearch } from "../src/domain/item-ports.ts";
import { imagesLayout, managedLayout } from "../src/domain/layout.ts";
import { vectorOf, distanceOf, type Numbers } from "./reference-distance.ts";
import { AUTO_POLICY } from "../src/domain/index-policy.ts";

const SCHEMA = "vector_store";
const ITEMS = 1500;
const DIMENSIONS = 24;
const K = 10;
const COLOURS = ["red", "green", "blue", "grey"];
const NOTHING = { vector: false, metadata: "none", document: false } as const;

interface Row {
  key: string;
  numbers: Numbers;
  /** Every third item has no row of metadata. */
  metadata: { colour: string; rank: number; rare: boolean } | undefined;
}

let db: Database;
let search: ItemSearch;
const opened = new AsyncDisposableStack();
const stored = new Map<ElementType, { collection: Collection; rows: Row[] }>();

/** Keys whose order by code points is no other collation's. */
const keyOf = (i: number): string => `${i % 2 === 0 ? "b" : "B"}${i % 7 === 0 ? "é" : "-"}${i}`;

function collectionOf(id: number, elementType: ElementType): Collection {
  return {
    name: `items-${elementType}`,
    kind: "managed",
    dimensions: DIMENSIONS,
    elementType,
    metric: elementType === "bit" ? "hamming" : "cosine",
    space: undefined,
    recallTarget: 0.95,
    indexPolicy: AUTO_POLICY,
    textSearchConfig: undefined,
    hashPartitions: undefined,
    reembeddingSpaceId: undefined,
    layout: managedLayout(SCHEMA, id, 1, elementType),
    createdAt: new Date(),
  };
}

async function store(id: number, elementType: ElementType): Promise<void> {
  const rows = Array.from({ length: ITEMS }, (_, i): Row => ({
    key: keyOf(i),
    // Every tenth is the one before it once more: their distances are equal, and their keys decide.
    numbers: vectorOf(elementType, DIMENSIONS, i % 10 === 9 ? i - 1 : i),
    metadata: i % 3 === 2 ? undefined : { colour: COLOURS[i % 4] as string, rank: i, rare: i % 100 === 0 },
  }));
  const type = `${elementType}(${DIMENSIONS})`;
  await db.query(
    `CREATE TABLE collection_${id}_vectors (key text COLLATE "C" PRIMARY KEY, embedding ${type} NOT NULL)`,
  );
  await db.query(
    `CREATE TABLE collection_${id}_items (key text COLLATE "C" PRIMARY KEY, metadata jsonb NOT NULL DEFAULT '{}', document text)`,
  );
  await db.query(
    `INSERT INTO collection_${id}_vectors SELECT k, e::${type} FROM unnest($1::text[], $2::text[]) u(k, e)`,
    [
      rows.map(({ key }) => key),
      rows.map(({ numbers }) => (elementType === "bit" ? numbers.join("") : `[${numbers.join(",")}]`)),
    ],
  );
  const described = rows.filter(({ metadata }) => metadata !== undefined);
  await db.query(
    `INSERT INTO collection_${id}_items SELECT k, m, 'text of ' || k FROM unnest($1::text[], $2::jsonb[]) u(k, m)`,
    [described.map(({ key }) => key), described.map(({ metadata }) => JSON.stringify(metadata))],
  );
  await db.query(`ANALYZE collection_${id}_vectors, collection_${id}_items`);
  stored.set(elementType, { collection: collectionOf(id, elementType), rows });
}

beforeAll(async () => {
  const { url } = opened.use(await testDatabase());
  db = opened.use(
    await openDatabase({
      config: loadConfig(databaseSettings, { DATABASE_URL: url }),
      schema: SCHEMA,
      applicationName: "item-search-test",
      logger: silentLogger(),
    }),
  );
  await ensureVector(db);
  await store(1, "vector");
  await store(2, "halfvec");
  await store(3, "bit");
  await db.query(
    "CREATE INDEX vectors_hnsw ON collection_1_vectors USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 200)",
  );
  await db.query(
    "CREATE INDEX halfvecs_ivfflat ON collection_2_vectors USING ivfflat (embedding halfvec_l2_ops) WITH (lists = 20)",
  );
  search = itemSearch(db, searchStates(db, { curves: async () => new Map() }));
}, 120_000);
afterAll(() => opened.disposeAsync());

const storedAs = (elementType: ElementType) =>
  stored.get(elementType) as { collection: Collection; rows: Row[] };

function pack(elementType: ElementType, numbers: Numbers): Uint8Array {
  if (elementType !== "bit") return new Uint8Array(Float32Array.from(numbers).buffer);
  const bytes = new Uint8Array(Math.ceil(numbers.length / 8));
  for (const [i, bit] of numbers.entries())
    bytes[i >> 3] = (bytes[i >> 3] as number) | (bit << (7 - (i & 7)));
  return bytes;
}

function queryOf(elementType: ElementType, numbers: Numbers, changes: Partial<ItemQuery> = {}): ItemQuery {
  const { collection } = storedAs(elementType);
  return {
    collection,
    vector: pack(elementType, numbers),
    metric: collection.metric,
    filter: undefined,
    excludedKeys: [],
    group: undefined,
    k: K,
    candidateLimit: K,
    scan: { method: "exact" },
    projection: NOTHING,
    ...changes,
  };
}

const HNSW: ItemScan = {
  method: "hnsw",
  indexName: "vectors_hnsw",
  quantization: "none",
  rerank: undefined,
  efSearch: 200,
  maxScanTuples: 60_000,
};
const IVFFLAT: ItemScan = {
  method: "ivfflat",
  indexName: "halfvecs_ivfflat",
  quantization: "none",
  rerank: undefined,
  probes: 20,
  maxProbes: 20,
};
const byCodePoints = (a: string, b: string): number =>
  Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));

/** By brute force: the keys of the rows that pass, nearest first. */
function expected(
  elementType: ElementType,
  query: ItemQuery,
  numbers: Numbers,
  passes: (row: Row) => boolean = () => true,
): { key: string; distance: number; row: Row }[] {
  return storedAs(elementType)
    .rows.filter(passes)
    .map((row) => ({ key: row.key, distance: distanceOf(query.metric, numbers, row.numbers), row }))
    .toSorted((a, b) =>
      Math.abs(a.distance - b.distance) > 1e-9 ? a.distance - b.distance : byCodePoints(a.key, b.key),
    );
}

const limits = { signal: undefined };
const filterOf = (colour: string): Filter => ({ kind: "eq", path: ["colour"], value: colour });

describe("exact searches", () => {
  const cases = (["vector", "halfvec", "bit"] as const).flatMap((type) =>
    metricsOf(type).map((metric) => [type, metric] as const),
  );

  test.each(cases)("%s by %s: nearest first, equal ones by key", async (type, metric) => {
    const numbers = vectorOf(type, DIMENSIONS, 4711);
    const query = queryOf(type, numbers, { metric, k: 40, candidateLimit: 40 });
    const { hits, candidates } = await search.nearest(query, limits);
    const wanted = expected(type, query, numbers).slice(0, 40);
    expect(hits.map(({ key }) => key)).toEqual(wanted.map(({ key }) => key));
    for (const [i, { distance }] of hits.entries())
      expect(distance).toBeCloseTo(wanted[i]?.distance as number, 4);
    expect(candidates).toBe(40);
  });

  test("under a filter, without the excluded keys, and all there are when they are fewer than k", async () => {
    const numbers = vectorOf("vector", DIMENSIONS, 1);
    const rare: Filter = { kind: "eq", path: ["rare"], value: true };
    const first = queryOf("vector", numbers, { filter: rare, k: 50, candidateLimit: 50 });
    const wanted = expected("vector", first, numbers, ({ metadata }) => metadata?.rare === true);
    const all = await search.nearest(first, limits);
    expect(all.hits.map(({ key }) => key)).toEqual(wanted.map(({ key }) => key));
    expect(all).toMatchObject({ candidates: wanted.length, rowsScanned: wanted.length });

    const excludedKeys = [wanted[0]?.key as string, wanted[2]?.key as string, "never was"];
    const { hits } = await search.nearest({ ...first, excludedKeys }, limits);
    expect(hits.map(({ key }) => key)).toEqual(
      wanted.map(({ key }) => key).filter((key) => !excludedKeys.includes(key)),
    );
  });

  test("what the projection wants comes with the hits, and nothing else", async () => {
    const numbers = vectorOf("vector", DIMENSIONS, 2);
    const bare = await search.nearest(queryOf("vector", numbers), limits);
    for (const hit of bare.hits) {
      expect(hit).toMatchObject({
        vector: undefined,
        metadata: undefined,
        document: undefined,
        image: undefined,
      });
    }
    const projection = { vector: true, metadata: "all", document: true } as const;
    const full = await search.nearest(queryOf("vector", numbers, { projection }), limits);
    const rows = new Map(storedAs("vector").rows.map((row) => [row.key, row]));
    expect(full.hits.map(({ key }) => key)).toEqual(bare.hits.map(({ key }) => key));
    for (const hit of full.hits) {
      const row = rows.get(hit.key) as Row;
      expect(hit.metadata).toEqual(row.metadata ?? {});
      expect(hit.document).toBe(row.metadata ? `text of ${hit.key}` : undefined);
      expect(Buffer.from(hit.vector as Uint8Array)).toEqual(Buffer.from(pack("vector", row.numbers)));
    }
    const some = { ...NOTHING, metadata: ["rank", "absent"] };
    const { hits } = await search.nearest(queryOf("vector", numbers, { projection: some }), limits);
    for (const hit of hits) {
      const row = rows.get(hit.key) as Row;
      expect(hit.metadata).toEqual(row.metadata ? { rank: row.metadata.rank } : {});
    }
  });
});

describe("groups", () => {
  test.each([
    ["exact", { method: "exact" }],
    ["hnsw", HNSW],
  ] as const)(
    "%s: at most so many of each, the nearest, those that lack the field are one",
    async (_, scan) => {
      const numbers = vectorOf("vector", DIMENSIONS, 3);
      const query = queryOf("vector", numbers, {
        group: { path: ["colour"], size: 3 },
        k: 4,
        candidateLimit: 400,
        scan: scan as ItemScan,
      });
      const sorted = expected("vector", query, numbers);
      const groups = new Map<string | undefined, string[]>();
      for (const { key, row } of sorted) {
        const members = groups.get(row.metadata?.colour) ?? [];
        if (members.length < 3) groups.set(row.metadata?.colour, [...members, key]);
      }
      const { hits, candidates } = await search.nearest(query, limits);
      const wanted = [...groups].slice(0, 4).flatMap(([group, keys]) => keys.map((key) => ({ group, key })));
      expect(hits.map(({ key, group }) => ({ group, key }))).toEqual(wanted);
      expect(candidates).toBe(400);
    },
  );
});

describe("index scans", () => {
  test.each([
    ["vector", "cosine", HNSW],
    ["halfvec", "l2", IVFFLAT],
  ] as const)(
    "%s by %s finds nearly all of what an exact one finds, in order",
    async (type, metric, scan) => {
      let found = 0;
      for (let i = 0; i < 20; i++) {
        const numbers = vectorOf(type, DIMENSIONS, 9000 + i);
        const query = queryOf(type, numbers, { metric, scan });
        const { hits } = await search.nearest(query, limits);
        const wanted = new Set(
          expected(type, query, numbers)
            .slice(0, K)
            .map(({ key }) => key),
        );
        expect(hits).toHaveLength(K);
        expect(hits.map(({ distance }) => distance)).toEqual(
          hits.map(({ distance }) => distance).toSorted((a, b) => a - b),
        );
        found += hits.filter(({ key }) => wanted.has(key)).length;
      }
      expect(found / (20 * K)).toBeGreaterThan(0.9);
    },
  );

  test("under a filter it goes on until k rows have passed, whatever the filter was when it was planned", async () => {
    const rare: Filter = {
      kind: "range",
      path: ["rank"],
      lower: undefined,
      upper: { value: 60, inclusive: true },
    };
    const common: Filter = { ...rare, upper: { value: 1400, inclusive: true } };
    for (const filter of [common, common, rare, common, rare]) {
      const numbers = vectorOf("vector", DIMENSIONS, 5);
      const query = queryOf("vector", numbers, { filter, scan: HNSW });
      const bound = filter === rare ? 60 : 1400;
      const { hits } = await search.nearest(query, limits);
      const passing = new Set(
        storedAs("vector")
          .rows.filter(({ metadata }) => metadata !== undefined && metadata.rank <= bound)
          .map(({ key }) => key),
      );
      expect(hits).toHaveLength(K);
      expect(hits.filter(({ key }) => passing.has(key))).toHaveLength(K);
    }
  });

  test("the statement is planned with the index, and nothing is sorted before its limit", async () => {
    const numbers = vectorOf("vector", DIMENSIONS, 6);
    const query = queryOf("vector", numbers, { scan: HNSW, filter: filterOf("red") });
    const explained = await search.explain(query, { analyze: true }, limits);
    expect(explained?.settings).toMatchObject({ "hnsw.ef_search": "200", enable_seqscan: "off" });
    expect(explained?.sql).not.toContain("red");
    expect(explained?.parameters[0]).toMatch(/^\[-?[\d.e-]+, -?[\d.e-]+, … 24\]$/);
    expect(explained?.parameters).toContain(String(K));
    expect(explained?.plan).toContain("Index Scan using vectors_hnsw");
    expect(explained?.plan).toContain("Buffers:");
    const exact = await search.explain(queryOf("vector", numbers), { analyze: false }, limits);
    expect(exact?.plan).not.toContain("vectors_hnsw");
    expect(exact?.plan).not.toContain("actual time");
  });
});

describe("what searching depends on", () => {
  test("indexes that are valid and whole, and how many rows there are", async () => {
    await db.query(
      "CREATE INDEX half_of_it ON collection_1_vectors USING hnsw (embedding vector_l2_ops) WHERE key < 'a'",
    );
    const state = await search.state(storedAs("vector").collection);
    expect(state.indexes).toMatchObject([{ name: "vectors_hnsw", operatorClass: "vector_cosine_ops" }]);
    expect(state).toMatchObject({ estimatedRows: ITEMS, estimatedGroups: ITEMS, iterativeScans: true });
    const half = await search.state(storedAs("halfvec").collection);
    expect(half.indexes).toMatchObject([{ name: "halfvecs_ivfflat", parameters: { lists: "20" } }]);
    expect((await search.state(storedAs("bit").collection)).indexes).toEqual([]);
  });

  test("rows that pass a filter are counted up to the bound, and remembered for a while", async () => {
    const { collection, rows } = storedAs("bit");
    const count = rows.filter(({ metadata }) => metadata?.colour === "blue").length;
    expect(await search.countMatching(collection, filterOf("blue"), 5, limits)).toBe(5);
    expect(await search.countMatching(collection, filterOf("blue"), ITEMS, limits)).toBe(count);
    await db.query(`DELETE FROM collection_3_items WHERE metadata->>'colour' = 'blue'`);
    expect(await search.countMatching(collection, filterOf("blue"), ITEMS, limits)).toBe(count);
    expect(await search.countMatching(collection, filterOf("blue"), 7, limits)).toBe(7);
    expect(await search.countMatching(collection, filterOf("grey"), ITEMS, limits)).toBe(
      rows.filter(({ metadata }) => metadata?.colour === "grey").length,
    );
  });
});

test("items by key have their distances, and those that are not there are left out", async () => {
  const numbers = vectorOf("vector", DIMENSIONS, 7);
  const { collection, rows } = storedAs("vector");
  const keys = ["never was", rows[0]?.key as string, rows[2]?.key as string];
  const query = queryOf("vector", numbers, { group: { path: ["colour"], size: 1 } });
  const hits = await search.distances({ ...query, collection, keys }, limits);
  expect(hits).toHaveLength(2);
  for (const row of [rows[0], rows[2]]) {
    const hit = hits.find(({ key }) => key === row?.key);
    expect(hit?.distance).toBeCloseTo(distanceOf("cosine", numbers, (row as Row).numbers), 5);
    expect(hit?.group).toBe(row?.metadata?.colour);
  }
});

test("a search that has no time left is over in the database too", async () => {
  const query = queryOf("vector", vectorOf("vector", DIMENSIONS, 8));
  await expect(search.nearest(query, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    kind: "cancelled",
  });
});

test("a column whose type changes between two searches makes none of them fail", async () => {
  const { collection } = storedAs("halfvec");
  const query = queryOf("halfvec", vectorOf("halfvec", DIMENSIONS, 9), {
    projection: { ...NOTHING, document: true },
  });
  const before = await search.nearest(query, limits);
  await db.query(`ALTER TABLE ${collection.layout.items?.table.name} ALTER document TYPE varchar(500)`);
  const after = await search.nearest(query, limits);
  expect(after.hits).toEqual(before.hits);
});

describe("the images catalogue", () => {
  test("hits are images with their nearest embeddings, equal ones by image and embedding", async () => {
    await migrate(db, { migrations });
    const collection: Collection = {
      ...storedAs("vector").collection,
      name: COLLECTION,
      kind: "images",
      dimensions: 384,
      layout: imagesLayout(SCHEMA, "vector"),
    };
    // Three embeddings an image; the vectors of images 2 and 3 are the same.
    const seeds = [1, 2, 2, 4];
    await db.query(
      "INSERT INTO images (image_path, description) SELECT 'p' || n, 'picture ' || n FROM generate_series(1, 4) n",
    );
    const images = await db.query<{ id: string }>("SELECT id FROM images ORDER BY image_path");
    for (const [i, { id }] of images.rows.entries()) {
      for (let e = 0; e < 3; e++) {
        const numbers = vectorOf("vector", 384, 10 * (seeds[i] as number) + e);
        await db.query(
          "INSERT INTO embeddings (image_id, embedding, embedding_key, embedding_metadata) VALUES ($1, $2::vector, $3, $4)",
          [id, `[${numbers.join(",")}]`, `e${e}`, { e }],
        );
      }
    }
    const query: ItemQuery = {
      ...queryOf("vector", vectorOf("vector", DIMENSIONS, 0)),
      collection,
      vector: pack("vector", vectorOf("vector", 384, 21)),
      group: { path: ["image_id"], size: 1 },
      k: 3,
      candidateLimit: 12,
      projection: { ...NOTHING, metadata: "all" },
    };
    const { hits, candidates } = await search.nearest(query, limits);
    expect(candidates).toBe(12);
    expect(hits.slice(0, 2).map(({ image }) => image?.imagePath)).toEqual(["p2", "p3"]);
    expect(hits.map(({ image }) => image?.embeddingCount)).toEqual([3, 3, 3]);
    expect(hits[0]).toMatchObject({ metadata: { e: 1 }, group: Number(images.rows[1]?.id) });
    expect(hits[0]?.distance).toBeCloseTo(0, 5);
    expect(new Set(hits.map(({ image }) => image?.id)).size).toBe(3);
  });
});
