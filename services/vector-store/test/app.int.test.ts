import { createClient, type Client } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { ImageService, IndexService, SearchService } from "@kindred/contracts/vector-store/v1";
import { databaseSettings, openDatabase } from "@kindred/postgres";
import { openChannel, packVectors, type Channel } from "@kindred/rpc";
import { silentLogger, testDatabase, type TestDatabase } from "@kindred/testing";
import pg from "pg";
import { remedy } from "../src/adapters/postgres/require-vector.ts";
import { createApp, type App } from "../src/app.ts";
import { configSchema } from "../src/config.ts";
import { fakeEmbedding, wordVector } from "./fake-embedding.ts";
import { errorOf, streamOf } from "./fixture.ts";

const logger = silentLogger();
const configFor = (url: string, settings: Record<string, string> = {}) =>
  loadConfig(configSchema, {
    DATABASE_URL: url,
    GRPC_PORT: "0",
    HTTP_PORT: "0",
    METRICS_ADDRESS: "127.0.0.1:1",
    EMBEDDING_ADDRESS: "127.0.0.1:1",
    ...settings,
  });

describe("the service on its ports", () => {
  let database: TestDatabase;
  let app: App;
  let channel: Channel;
  let images: Client<typeof ImageService>;
  const embedding = fakeEmbedding();

  beforeAll(async () => {
    database = await testDatabase();
    app = await createApp(configFor(database.url), { logger, embedding });
    channel = openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` });
    images = createClient(ImageService, channel.transport);
  }, 60_000);
  afterAll(async () => {
    await channel?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  test("imports a stream and searches it over gRPC", async () => {
    const batches = Array.from({ length: 5 }, (_, b) => ({
      images: Array.from({ length: 200 }, (__, i) => ({
        image: { imagePath: `${b}/${i}.png`, description: `thing${i} of batch${b}` },
      })),
    }));
    const reply = await images.batchAddImages(streamOf(...batches));
    expect(reply).toMatchObject({ batches: 5n, imagesAdded: 1000n, embeddingsAdded: 1000n });
    const { hits } = await createClient(SearchService, channel.transport).search({
      query: { case: "text", value: "thing42 of batch3" },
      k: 1,
    });
    expect(hits[0]?.image?.imagePath).toBe("3/42.png");
    expect(hits[0]?.similarity).toBeCloseTo(1, 5);
  });

  test("answers JSON over HTTP, and its health", async () => {
    const base = `http://127.0.0.1:${app.ready.httpPort}`;
    const response = await fetch(`${base}/kindred.vector_store.v1.SearchService/Search`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: "thing1 of batch1", k: 2 }),
    });
    expect(response.status).toBe(200);
    const { hits, plan } = (await response.json()) as {
      hits: { image: { imagePath: string } }[];
      plan: object;
    };
    expect(hits[0]?.image.imagePath).toBe("1/1.png");
    expect(plan).toMatchObject({ method: "SEARCH_METHOD_EXACT", complete: true });
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  });

  test("a call's deadline ends what it has begun", async () => {
    const hanging = Promise.withResolvers<void>();
    embedding.before = (_, options) =>
      new Promise((_resolve, reject) => {
        options.signal?.addEventListener("abort", () => {
          hanging.resolve();
          reject(options.signal?.reason as Error);
        });
      });
    try {
      const call = createClient(SearchService, channel.transport).search(
        { query: { case: "text", value: "x" } },
        { timeoutMs: 300 },
      );
      expect((await errorOf(call)).kind).toBe("deadline-exceeded");
      await hanging.promise;
    } finally {
      embedding.reset();
    }
  });

  test("a second replica over the same database serves at once, and sees the index that the first builds", async () => {
    const second = await createApp(configFor(database.url, { MIGRATE_ON_START: "false" }), {
      logger,
      embedding,
    });
    const other = openChannel({ address: `127.0.0.1:${second.ready.grpcPort}` });
    try {
      const search = () =>
        createClient(SearchService, other.transport).search({
          query: { case: "vector", value: { data: packVectors(wordVector("thing7 of batch2")) } },
          k: 1,
        });
      expect((await search()).plan?.indexName).toBe("");
      await createClient(IndexService, channel.transport).ensureIndex({}, { timeoutMs: 60_000 });
      for (;;) {
        const { hits, plan } = await search();
        expect(hits[0]?.image?.imagePath).toBe("2/7.png");
        if (plan?.indexName === "embeddings_embedding_hnsw_idx") break;
      }
    } finally {
      await other[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    }
  }, 60_000);
});

describe("the service at its start", () => {
  test("several that start on an empty database migrate it once", async () => {
    await using database = await testDatabase();
    const apps = await Promise.all(
      Array.from({ length: 3 }, () =>
        createApp(configFor(database.url), { logger, embedding: fakeEmbedding() }),
      ),
    );
    await Promise.all(apps.map((app) => app[Symbol.asyncDispose]()));
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      // A new connection of anybody's finds the tables by the names that users know.
      const { rows } = await client.query("SELECT name FROM collections");
      expect(rows).toEqual([{ name: "images" }]);
      expect((await client.query("SELECT count(*)::int AS count FROM images, embeddings")).rows).toEqual([
        { count: 0 },
      ]);
    } finally {
      await client.end();
    }
  }, 60_000);

  test("searches by vector without the embedding service, and says what is missing for a text", async () => {
    await using database = await testDatabase();
    await using app = await createApp(configFor(database.url), { logger });
    await using channel = openChannel({
      address: `127.0.0.1:${app.ready.grpcPort}`,
      retry: { attempts: 1, initialBackoffMs: 1, maxBackoffMs: 1 },
    });
    const search = createClient(SearchService, channel.transport);
    const byVector = await search.search({
      query: { case: "vector", value: { data: packVectors(wordVector("cat")) } },
    });
    expect(byVector).toMatchObject({ hits: [], plan: { complete: true, spaceId: "" } });
    const error = await errorOf(
      search.search({ query: { case: "text", value: "cat" } }, { timeoutMs: 20_000 }),
    );
    expect(error.kind).toBe("unavailable");
    expect(error.retryAfterMs).toBeGreaterThan(0);
    expect(error.message).toContain("the embedding service cannot be reached");
  }, 60_000);

  test("does not begin on tables that were not made", async () => {
    await using database = await testDatabase();
    await using app = await createApp(configFor(database.url, { MIGRATE_ON_START: "false" }), { logger });
    await using channel = openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` });
    const error = await errorOf(createClient(IndexService, channel.transport).getStatistics({}));
    expect(error.kind).toBe("failed-precondition");
  }, 60_000);
});

test.each([
  ["0.5.1", "0.8.2", "ALTER EXTENSION vector UPDATE"],
  [undefined, "0.8.2", "CREATE EXTENSION vector"],
  [undefined, undefined, "pgvector/pgvector"],
])("pgvector %s, with %s to be had, is met with what to do", (installed, available, advice) => {
  expect(remedy(installed, available)).toContain(advice);
});

test("the database's schema is the service's own", async () => {
  await using database = await testDatabase();
  await using app = await createApp(configFor(database.url), { logger, embedding: fakeEmbedding() });
  await using db = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: database.url }),
    schema: "other",
    applicationName: "vector-store-test",
    logger,
  });
  const { rows } = await db.query<{ name: string }>(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'vector_store' ORDER BY 1",
  );
  expect(app.ready.grpcPort).toBeGreaterThan(0);
  expect(rows.map((row) => row.name)).toEqual([
    "collections",
    "embedding_spaces",
    "embeddings",
    "images",
    "index_builds",
    "operations",
    "recall_curves",
    "recall_events",
    "recall_measurements",
    "recent_queries",
    "reembedding_changes",
    "schema_migrations",
    "vector_changes",
  ]);
}, 60_000);
