import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  CollectionKind,
  ConflictPolicy,
  ElementType,
  IndexKind,
  IndexMaintenance,
  KeyType,
  Metric,
  type Collection,
} from "@kindred/contracts/vector-store/v1";
import { isStoreTable } from "../src/adapters/postgres/store-tables.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { hasVector, pack, vectorOf } from "./items-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await fixture.db.query("CREATE SCHEMA shop");
});
afterEach(async () => {
  await fixture.clear();
  await fixture.db.query("DROP SCHEMA shop CASCADE");
  await fixture.db.query("DROP TABLE IF EXISTS public.song_embeddings, vector_store.song_embeddings");
});

const SONGS = {
  name: "songs",
  table: { table: "song_embeddings", keyColumn: "song_id", vectorColumn: "embedding" },
  createTable: { dimensions: 4 },
};
const register = async (request: object = {}): Promise<Collection> =>
  (await fixture.collections.registerCollection({ ...SONGS, ...request })).collection as Collection;

async function columnsOf(table: string): Promise<unknown[]> {
  const { rows } = await fixture.db.query<Record<string, unknown>>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS "notNull",
            pg_get_expr(d.adbin, d.adrelid) AS default
       FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 ORDER BY a.attnum`,
    [table],
  );
  return rows.map(({ name, type, notNull, default: standard }) => [name, type, notNull, standard]);
}

test("song_embeddings is made where it is not, where the search_path finds it, and takes rows", async () => {
  if (!hasVector(fixture)) return;
  const policy = { kind: IndexKind.IVFFLAT, lists: 7 };
  expect(await register({ indexPolicy: policy })).toMatchObject({
    name: "songs",
    kind: CollectionKind.REGISTERED,
    dimensions: 4,
    elementType: ElementType.VECTOR,
    metric: Metric.COSINE,
    indexPolicy: { ...policy, maintenance: IndexMaintenance.MANUAL },
    storedAsJson: false,
    table: {
      schema: "vector_store",
      table: "song_embeddings",
      keyColumn: "song_id",
      vectorColumn: "embedding",
    },
  });
  expect(await columnsOf("song_embeddings")).toEqual([
    ["song_id", "integer", true, null],
    ["embedding", "vector(4)", true, null],
    ["created_at", "timestamp with time zone", false, "now()"],
  ]);
  const { rows } = await fixture.db.query(
    "SELECT pg_get_constraintdef(oid) AS key FROM pg_constraint WHERE conrelid = 'song_embeddings'::regclass AND contype = 'p'",
  );
  expect(rows).toEqual([{ key: "PRIMARY KEY (song_id)" }]);
  const items = { keys: ["7", "2"], vectors: pack(vectorOf(7), vectorOf(2)) };
  expect(await fixture.vectors.upsert({ collection: "songs", items })).toMatchObject({ inserted: 2n });
  const stored = await fixture.db.query(
    "SELECT song_id, created_at IS NOT NULL AS dated FROM song_embeddings ORDER BY song_id",
  );
  expect(stored.rows).toEqual([
    { song_id: 2, dated: true },
    { song_id: 7, dated: true },
  ]);
  const { hits } = await fixture.search.search({
    collection: "songs",
    k: 1,
    query: { case: "vector", value: { data: pack(vectorOf(7)) } },
  } as never);
  expect(hits.map(({ key }) => key)).toEqual(["7"]);
});

test("who deletes the collection keeps the table, and registers it again the same way", async () => {
  if (!hasVector(fixture)) return;
  await register();
  const items = { keys: ["1"], vectors: pack(vectorOf(1)) };
  await fixture.vectors.upsert({ collection: "songs", items });
  expect(await errorOf(register())).toMatchObject({ kind: "already-exists" });
  await fixture.collections.deleteCollection({ name: "songs" });
  await register();
  expect(
    await fixture.vectors.upsert({ collection: "songs", items, onConflict: ConflictPolicy.SKIP }),
  ).toMatchObject({ skipped: 1n });
});

test.each<[string, object, string]>([
  ["integer", {}, "integer"],
  ["bigint", { keyType: KeyType.BIGINT }, "bigint"],
  ["text", { keyType: KeyType.TEXT }, "text"],
  ["uuid", { keyType: KeyType.UUID }, "uuid"],
])("keys can be %s", async (_, createTable, type) => {
  if (!hasVector(fixture)) return;
  await register({ createTable: { ...SONGS.createTable, ...createTable } });
  expect((await columnsOf("song_embeddings"))[0]).toEqual(["song_id", type, true, null]);
});

test.each<[string, object, string, number]>([
  ["2,000 dimensions", { dimensions: 2000 }, "vector(2000)", 8000],
  ["8,192 dimensions", { dimensions: 8192 }, "vector(8192)", 32_768],
  ["halves", { dimensions: 4000, elementType: ElementType.HALFVEC }, "halfvec(4000)", 16_000],
  ["bits", { dimensions: 64_000, elementType: ElementType.BIT }, "bit(64000)", 8000],
])("vectors of %s are stored and read again", async (_, createTable, type, bytes) => {
  if (!hasVector(fixture)) return;
  await register({ createTable });
  expect((await columnsOf("song_embeddings"))[1]).toEqual(["embedding", type, true, null]);
  const keys = Array.from({ length: 300 }, (_row, i) => String(i));
  const vectors = Buffer.alloc(bytes * keys.length);
  if (type.startsWith("bit")) for (let i = 0; i < vectors.length; i++) vectors[i] = (i * 31) % 256;
  else for (let i = 0; i < vectors.length / 4; i++) vectors.writeFloatLE(1 + (i % 97), 4 * i);
  await fixture.vectors.upsert({ collection: "songs", items: { keys, vectors } });
  const last = await fixture.vectors.getItems({
    collection: "songs",
    keys: ["299"],
    projection: { vector: true },
  });
  expect(Buffer.from(last.items[0]?.vector ?? []).equals(vectors.subarray(-bytes))).toBe(true);
});

test("a row keeps a vector of 2,000 dimensions to itself until other columns need the room", async () => {
  if (!hasVector(fixture)) return;
  await register({ createTable: { dimensions: 2000 } });
  const vectors = Buffer.alloc(8000);
  for (let i = 0; i < 2000; i++) vectors.writeFloatLE(Math.sin(i) + 2, 4 * i);
  const add = (key: string) =>
    fixture.vectors.upsert({ collection: "songs", items: { keys: [key], vectors } });
  const outside = async (): Promise<number> => {
    const { rows } = await fixture.db.query<{ bytes: string }>(
      "SELECT pg_relation_size(reltoastrelid) AS bytes FROM pg_class WHERE oid = 'song_embeddings'::regclass",
    );
    return Number(rows[0]?.bytes);
  };
  await add("1");
  expect(await outside()).toBe(0);
  await fixture.db.query(
    "ALTER TABLE song_embeddings ADD COLUMN note CHAR(500) DEFAULT 'ä', ALTER COLUMN note SET STORAGE PLAIN",
  );
  await add("2");
  expect(await outside()).toBeGreaterThan(0);
});

describe("a table that is there", () => {
  test("is taken where it is as it would have been made, wherever the search_path finds it", async () => {
    if (!hasVector(fixture)) return;
    await fixture.db.query(
      `CREATE TABLE public.song_embeddings (song_id INTEGER PRIMARY KEY, embedding vector(4) NOT NULL,
         created_at TIMESTAMP NOT NULL DEFAULT now(), note TEXT, serial BIGINT GENERATED ALWAYS AS IDENTITY)`,
    );
    expect(await register()).toMatchObject({ table: { schema: "public" } });
    expect(await columnsOf("vector_store.song_embeddings")).toEqual([]);
  });

  test.each<[string, string, string]>([
    [
      "of other keys, vectors and needs",
      "song_id BIGINT PRIMARY KEY, embedding halfvec(3), title TEXT NOT NULL",
      '"shop"."song_embeddings" is there already, and is not as it would be made: "song_id" is bigint, not integer; ' +
        '"embedding" is halfvec(3), not vector(4); "embedding" allows NULL; "title" is NOT NULL without a default',
    ],
    [
      "whose key nobody can give",
      "song_id INTEGER PRIMARY KEY GENERATED ALWAYS AS IDENTITY, embedding vector(4) NOT NULL",
      '"song_id" is generated by the database',
    ],
    [
      "of other columns",
      "id INTEGER PRIMARY KEY, embedding vector(4) NOT NULL",
      'it has no column "song_id"',
    ],
    [
      "whose key may come twice",
      "song_id INTEGER NOT NULL, embedding vector(4) NOT NULL",
      'does not keep "song_id" unique by itself',
    ],
  ])("is refused when it is one %s", async (_, columns, message) => {
    if (!hasVector(fixture)) return;
    await fixture.db.query(`CREATE TABLE shop.song_embeddings (${columns})`);
    const error = await errorOf(register({ table: { ...SONGS.table, schema: "shop" } }));
    expect(error.kind).toBe("failed-precondition");
    expect(error.message).toContain(message);
    expect(await fixture.store.collections.list()).toHaveLength(1);
  });

  test("is refused when it is none", async () => {
    if (!hasVector(fixture)) return;
    await fixture.db.query("CREATE VIEW shop.song_embeddings AS SELECT 1 AS song_id");
    const error = await errorOf(register({ table: { ...SONGS.table, schema: "shop" } }));
    expect(error.message).toContain("is a view");
  });
});

describe("nothing is made", () => {
  test("where the collection's name is taken", async () => {
    if (!hasVector(fixture)) return;
    expect(await errorOf(register({ name: "images" }))).toMatchObject({ kind: "already-exists" });
    expect(await columnsOf("song_embeddings")).toEqual([]);
  });

  test("in a schema that is not there", async () => {
    if (!hasVector(fixture)) return;
    const error = await errorOf(register({ table: { ...SONGS.table, schema: "nowhere" } }));
    expect(error).toMatchObject({
      kind: "failed-precondition",
      message:
        '"nowhere"."song_embeddings" cannot be made: there is no schema "nowhere": create it, or name another one',
    });
  });

  test.each(["collection_77_vectors", "collection_77_vectors_2_p3", "collection_77_items"])(
    "under the store's own name %s",
    async (table) => {
      if (!hasVector(fixture)) return;
      const error = await errorOf(register({ table: { ...SONGS.table, table } }));
      expect(error.kind).toBe("failed-precondition");
      expect(error.message).toContain("the store keeps tables of its own under such names");
    },
  );
});

test("several that make it at once make one", async () => {
  if (!hasVector(fixture)) return;
  const names = ["a", "b", "c", "d"];
  const registered = await Promise.all(names.map((name) => register({ name })));
  expect(registered.map(({ name }) => name)).toEqual(names);
});

test("all tables of the store are known as its own", async () => {
  await fixture.collections.createCollection({
    name: "spread",
    dimensions: 4,
    ...(fixture.db.capabilities.vector && { hashPartitions: 2 }),
  });
  const { rows } = await fixture.db.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
      WHERE relnamespace = 'vector_store'::regnamespace AND relkind IN ('r', 'p', 'm', 'v')`,
  );
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.filter(({ name }) => !isStoreTable({ schema: "vector_store", name }, "vector_store"))).toEqual(
    [],
  );
  expect(isStoreTable({ schema: "vector_store", name: "song_embeddings" }, "vector_store")).toBe(false);
  expect(isStoreTable({ schema: "public", name: "images" }, "vector_store")).toBe(false);
});
