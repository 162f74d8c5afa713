import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { messageOf } from "@kindred/errors";
import { databaseSettings, openDatabase, startEmbeddedServer, type Database } from "@kindred/postgres";
import { resolvePlaces } from "@kindred/process";
import { silentLogger, temporaryFolder, testDatabase } from "@kindred/testing";
import {
  documentVectorSql,
  matchesStatement,
  type TextQuery,
} from "../src/adapters/postgres/text-search-statement.ts";
import { textSearch } from "../src/adapters/postgres/text-search.ts";
import type { Collection } from "../src/domain/collection.ts";
import { imagesLayout, managedLayout, type Layout } from "../src/domain/layout.ts";
import { errorOf } from "./fixture.ts";
import { AUTO_POLICY } from "../src/domain/index-policy.ts";

const SCHEMA = "vector_store";
const CONFIG = "english";
const NO_LIMITS = { signal: undefined, timeoutMs: undefined };

/** An item's key and its document; what has neither metadata nor a document has no row in the second table. */
type Documents = Record<string, string | undefined>;

const DOCUMENTS: Documents = {
  a1: "A cat sat on the mat",
  // As good a match as a1: keys decide, by code points.
  B1: "A cat sat on the mat",
  a2: "cats, cats and cats: a cat for everybody who likes a cat",
  a3: "a dog ran in the park with a cat",
  a4: "dogs bark",
  a5: "",
  a6: undefined,
  a7: "it's 'quoted' -- and \\ odd $1 %_ 🐈",
};

const collectionOf = (layout: Layout, textSearchConfig: string | undefined = CONFIG): Collection => ({
  name: "articles",
  kind: "managed",
  dimensions: 3,
  elementType: "vector",
  metric: "cosine",
  space: undefined,
  recallTarget: 0.95,
  indexPolicy: AUTO_POLICY,
  hashPartitions: undefined,
  reembeddingSpaceId: undefined,
  textSearchConfig,
  layout,
  createdAt: new Date(),
});

const managed = managedLayout(SCHEMA, 1, 1, "json");
const articles = collectionOf(managed);

async function open(url: string): Promise<Database> {
  const config = loadConfig(databaseSettings, { DATABASE_URL: url });
  return openDatabase({
    config,
    schema: SCHEMA,
    applicationName: "text-search-test",
    logger: silentLogger(),
  });
}

async function createArticles(db: Database, documents: Documents): Promise<void> {
  await db.query("DROP TABLE IF EXISTS collection_1_vectors, collection_1_items");
  await db.query(`CREATE TABLE collection_1_vectors (key text COLLATE "C" PRIMARY KEY, embedding jsonb)`);
  await db.query(
    `CREATE TABLE collection_1_items (key text COLLATE "C" PRIMARY KEY, metadata jsonb NOT NULL DEFAULT '{}', document text)`,
  );
  await db.query(
    `CREATE INDEX documents_idx ON collection_1_items USING gin (${documentVectorSql("document", CONFIG)})`,
  );
  await db.query("INSERT INTO collection_1_vectors SELECT unnest($1::text[])", [Object.keys(documents)]);
  const described = Object.entries(documents).filter(([, document]) => document !== undefined);
  await db.query(
    `INSERT INTO collection_1_items
     SELECT k, jsonb_build_object('odd', right(k, 1)::int % 2 = 1), d FROM unnest($1::text[], $2::text[]) AS u (k, d)`,
    [described.map(([key]) => key), described.map(([, document]) => document)],
  );
}

type Options = Partial<Pick<TextQuery, "filter" | "excludedKeys" | "limit">>;

/** Keys of the matches, and how they were found. */
async function matches(
  db: Database,
  text: string,
  options: Options = {},
  collection = articles,
): Promise<{ keys: string[]; method: string }> {
  const query = { text, filter: undefined, excludedKeys: [], limit: 10, ...options };
  return textSearch(db).matches(collection, query, NO_LIMITS);
}

const isOdd = { kind: "eq", path: ["odd"], value: true } as const;

function notRun(what: string, why: string): void {
  process.stderr.write(`not run: ${what}: ${why}\n`);
}

describe("PostgreSQL's full-text search", () => {
  let db: Database;
  const opened = new AsyncDisposableStack();

  beforeAll(async () => {
    const { url } = opened.use(await testDatabase());
    db = opened.use(await open(url));
    await createArticles(db, DOCUMENTS);
  }, 60_000);
  afterAll(() => opened.disposeAsync());

  const keysOf = async (text: string, options?: Options): Promise<string[]> =>
    (await matches(db, text, options)).keys;

  test("finds what has all words, the best first, equal ones by key", async () => {
    expect(await matches(db, "cat")).toEqual({ keys: ["a2", "B1", "a1", "a3"], method: "fts" });
    expect(await keysOf("mat cats")).toEqual(["B1", "a1"]);
    expect(await keysOf("cat", { limit: 2 })).toEqual(["a2", "B1"]);
  });

  test("knows phrases, or, and what must not be there", async () => {
    expect(await keysOf('"cat sat"')).toEqual(["B1", "a1"]);
    expect(await keysOf("bark or mat")).toEqual(["B1", "a1", "a4"]);
    expect(await keysOf("dog -cat")).toEqual(["a4"]);
    // Items without a text match nothing.
    expect(await keysOf("-cat")).toEqual(["a4", "a7"]);
  });

  test("leaves out what the filter does not let pass, and excluded keys", async () => {
    expect(await keysOf("cat", { filter: isOdd })).toEqual(["B1", "a1", "a3"]);
    expect(await keysOf("cat", { filter: { kind: "not", filter: isOdd } })).toEqual(["a2"]);
    expect(await keysOf("cat", { excludedKeys: ["a1", "a2", "'"] })).toEqual(["B1", "a3"]);
  });

  test.each([
    "'",
    "'; DROP TABLE collection_1_items; --",
    '"',
    '" -',
    ":*",
    "&|!()",
    "\\",
    "$1",
    "the",
    "",
    "🐈",
  ])("takes %j as words", async (text) => {
    await expect(keysOf(text)).resolves.toBeInstanceOf(Array);
    expect(await keysOf("bark")).toEqual(["a4"]);
  });

  test("uses the index", async () => {
    const plan = await db.transaction(
      async (client) => {
        const query = {
          layout: managed,
          document: { of: "items", column: "document" },
          config: CONFIG,
        } as const;
        const { text, values } = matchesStatement(
          { ...query, text: "cat", filter: isOdd, excludedKeys: ["a1"], limit: 3 },
          undefined,
        );
        const { rows } = await client.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, values);
        return rows.map((row) => row["QUERY PLAN"]).join("\n");
      },
      { settings: { enable_seqscan: "off" } },
    );
    expect(plan).toContain("Bitmap Index Scan on documents_idx");
  });

  test("finds every embedding of the images whose description matches", async () => {
    await db.query("CREATE TABLE images (id bigint PRIMARY KEY, description text)");
    await db.query("CREATE TABLE embeddings (id bigint PRIMARY KEY, image_id bigint, embedding_type text)");
    await db.query("INSERT INTO images VALUES (1, 'a dog'), (2, 'a cat'), (3, 'a cat and a cat'), (4, NULL)");
    await db.query(
      "INSERT INTO embeddings VALUES (9, 2, 'text'), (10, 2, 'image'), (11, 3, 'text'), (12, 1, 'text'), (13, 4, 'text')",
    );
    const images = collectionOf(imagesLayout(SCHEMA, "json"));
    expect((await matches(db, "cats", {}, images)).keys).toEqual(["11", "9", "10"]);
    const filter = { kind: "eq", path: ["embedding_type"], value: "text" } as const;
    expect((await matches(db, "cats", { filter, excludedKeys: ["11"] }, images)).keys).toEqual(["9"]);
  });

  test("searches a user's table, with documents beside the vectors", async () => {
    await db.query(`CREATE TABLE "Odd ""songs" (id int PRIMARY KEY, "Lyrics" varchar(100))`);
    await db.query(`INSERT INTO "Odd ""songs" VALUES (2, 'la la'), (10, 'la'), (9, 'la'), (1, 'so')`);
    const songs = collectionOf({
      vectors: { schema: SCHEMA, name: 'Odd "songs' },
      key: { column: "id", type: "integer" },
      vector: { column: "embedding", storage: "vector" },
      items: undefined,
      fields: { kind: "columns", columns: new Map() },
      document: { of: "vectors", column: "Lyrics" },
      updatedAt: undefined,
    });
    const query = { excludedKeys: ["1"] };
    expect((await matches(db, "la", query, songs)).keys).toEqual(["2", "9", "10"]);
  });

  test("is refused where there are no documents", async () => {
    const bare = collectionOf({ ...managed, document: undefined });
    expect(await errorOf(matches(db, "cat", {}, bare))).toMatchObject({
      kind: "failed-precondition",
      message: 'the collection "articles" has no documents to search in',
    });
    const { textSearchConfig: _, ...unset } = articles;
    expect(await errorOf(matches(db, "cat", {}, { ...unset, textSearchConfig: undefined }))).toMatchObject({
      kind: "failed-precondition",
    });
  });
});

/** Documents by which words are worth something: many that have nothing to do with the question. */
const MANY: Documents = {
  ...DOCUMENTS,
  ...Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x${i}`, `nothing of interest, number ${i}`])),
};

/** What is expected of either extension, once its index is there. */
function bm25Tests(name: string, database: () => Database | undefined): void {
  test("ranks what has any of the words by BM25", async () => {
    const db = database();
    if (!db) return;
    const { keys, method } = await matches(db, "cat mat unheardof");
    expect(method).toBe(name);
    // The mat is rare, and the text is short.
    expect(keys.slice(0, 2)).toEqual(["B1", "a1"]);
    expect(keys.slice(2).toSorted()).toEqual(["a2", "a3"]);
    expect((await matches(db, "cat mat", { limit: 2 })).keys).toEqual(["B1", "a1"]);
    expect((await matches(db, "unheardof")).keys).toEqual([]);
  });

  test("leaves out what the filter does not let pass, and excluded keys", async () => {
    const db = database();
    if (!db) return;
    expect(await matches(db, "cat mat", { filter: isOdd })).toEqual({
      keys: ["B1", "a1", "a3"],
      method: name,
    });
    const none = { kind: "not", filter: isOdd } as const;
    expect((await matches(db, "cat mat", { filter: none })).keys).toEqual(["a2"]);
    const few = { excludedKeys: ["B1", "a2"], limit: 2 };
    expect((await matches(db, "cat mat", few)).keys).toEqual(["a1", "a3"]);
  });

  test.each([
    "'",
    "'; DROP TABLE collection_1_items; --",
    ":*",
    "a AND (b",
    "document:cat^",
    "\\",
    "$1",
    "the",
    "",
  ])("takes %j as words", async (text) => {
    const db = database();
    if (!db) return;
    await expect(matches(db, text)).resolves.toMatchObject({ keys: expect.any(Array) });
    expect((await matches(db, "bark")).keys).toEqual(["a4"]);
  });

  test("leaves operators to PostgreSQL", async () => {
    const db = database();
    if (!db) return;
    expect(await matches(db, "dog -cat")).toEqual({ keys: ["a4"], method: "fts" });
  });

  test("is not there without an index", async () => {
    const db = database();
    if (!db) return;
    await db.query("DROP INDEX documents_bm25");
    expect(await matches(db, "mat")).toEqual({ keys: ["B1", "a1"], method: "fts" });
  });
}

describe("BM25 of pg_textsearch", () => {
  let db: Database | undefined;
  const opened = new AsyncDisposableStack();

  beforeAll(async () => {
    const { kind } = opened.use(await testDatabase());
    if (kind !== "native")
      return notRun("pg_textsearch", `it comes with the native package, this is ${kind}`);
    const { cache } = resolvePlaces(process.env);
    const folder = opened.use(await temporaryFolder());
    // It has to be loaded when the server starts.
    const settings = { shared_preload_libraries: "pg_textsearch", fsync: "off" };
    const options = {
      kind: "native",
      dataDir: folder.path,
      cacheDir: cache,
      logger: silentLogger(),
      settings,
    } as const;
    try {
      // A PostgreSQL that was installed otherwise may lack it, and then does not start.
      const server = opened.use(await startEmbeddedServer(options));
      const connected = opened.use(await open(server.url));
      await connected.query("CREATE EXTENSION pg_textsearch SCHEMA public");
      db = connected;
    } catch (error) {
      return notRun("pg_textsearch", messageOf(error));
    }
    await db.refreshCapabilities();
    await createArticles(db, MANY);
    await db.query(
      `CREATE INDEX documents_bm25 ON collection_1_items USING bm25 (document) WITH (text_config = '${CONFIG}')`,
    );
  }, 60_000);
  afterAll(() => opened.disposeAsync());

  test("lets its index find the best", async () => {
    if (!db) return;
    const { text, values } = matchesStatement(
      {
        layout: managed,
        document: { of: "items", column: "document" },
        config: CONFIG,
        text: "cat",
        filter: undefined,
        excludedKeys: [],
        limit: 5,
      },
      { extension: "pg_textsearch", name: `${SCHEMA}.documents_bm25`, keyField: null },
    );
    const { rows } = await db.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, values);
    expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain("Index Scan using documents_bm25");
  });

  test("cannot use an index whose name has to be quoted", async () => {
    if (!db) return;
    await db.query(`ALTER INDEX documents_bm25 RENAME TO "Documents"`);
    expect((await matches(db, "mat")).method).toBe("fts");
    await db.query(`ALTER INDEX "Documents" RENAME TO documents_bm25`);
  });

  bm25Tests("pg_textsearch", () => db);
});

describe("BM25 of pg_search", () => {
  let db: Database | undefined;
  const opened = new AsyncDisposableStack();

  beforeAll(async () => {
    const { url } = opened.use(await testDatabase());
    const connected = opened.use(await open(url));
    try {
      await connected.query("CREATE EXTENSION pg_search");
    } catch (error) {
      return notRun("pg_search", messageOf(error));
    }
    db = connected;
    await db.refreshCapabilities();
    await createArticles(db, MANY);
    await db.query(`
      CREATE INDEX documents_bm25 ON collection_1_items USING bm25 (key, document)
        WITH (key_field = 'key', text_fields = '{"document": {"tokenizer": {"type": "default", "stemmer": "English"}}}')`);
  }, 60_000);
  afterAll(() => opened.disposeAsync());

  bm25Tests("pg_search", () => db);
});
