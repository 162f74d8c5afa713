import { once } from "node:events";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import { ConflictPolicy, VectorService, type IngestRequestSchema } from "@kindred/contracts/vector-store/v1";
import { openChannel, packVectors, type Channel } from "@kindred/rpc";
import { startStack, type Stack } from "@kindred/testing";
import pg from "pg";

// Collections as people use them: JSON through the one origin, batches over gRPC, tables of their own by SQL, the real model.

let stack: Stack;
let channel: Channel;
let database: pg.Client;

beforeAll(async () => {
  stack = await startStack({ services: ["embedding", "vector-store"], origin: true });
  channel = openChannel({ address: stack.addresses["vector-store"] as string });
  database = new pg.Client({ connectionString: stack.database?.url });
  await database.connect();
}, 300_000);

afterAll(async () => {
  await database?.end();
  await channel?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
});

interface Answer {
  status: number;
  // What a test expects of it, it says itself.
  body: Record<string, any>;
}

/** As curl does it. */
async function call(method: string, request: object): Promise<Answer> {
  const response = await fetch(`${stack.originUrl}/kindred.vector_store.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  return { status: response.status, body: (await response.json()) as Record<string, any> };
}

async function called(method: string, request: object): Promise<Record<string, any>> {
  const { status, body } = await call(method, request);
  expect({ status, message: body["message"] }).toEqual({ status: 200, message: undefined });
  return body;
}

const keysOf = (body: Record<string, any>): string[] => (body["hits"] ?? []).map((hit: any) => hit.key);
const base64 = (...values: number[]): string =>
  Buffer.from(packVectors(Float32Array.from(values))).toString("base64");

const songs = [
  { key: "rain", text: "a slow song about rain on the window", year: 1984, genre: "ballad", country: "GB" },
  { key: "storm", text: "thunder and lightning over the hills", year: 1971, genre: "rock", country: "GB" },
  { key: "sun", text: "a cheerful song about summer at the beach", year: 1999, genre: "pop", country: "US" },
  { key: "sea", text: "a shanty that sailors sing at sea", year: 1961, genre: "folk", country: "IE" },
  { key: "snow", text: "snow falls on the quiet town", year: 2004, genre: "ballad", country: "SE" },
  { key: "love", text: "two people meet and fall in love", year: 1991, genre: "pop", country: "GB" },
];

describe("a collection of texts, by JSON through the origin", () => {
  beforeAll(async () => {
    await called("CollectionService/CreateCollection", { name: "songs", dimensions: 384 });
    const upserted = await called("VectorService/Upsert", {
      collection: "songs",
      items: {
        keys: songs.map(({ key }) => key),
        texts: songs.map(({ text }) => text),
        metadata: songs.map(({ year, genre, country }) => ({ year, genre, artist: { country } })),
      },
    });
    expect(upserted).toEqual({ inserted: String(songs.length) });
  });

  test("has the space of the first texts, and says so", async () => {
    const { collection } = await called("CollectionService/GetCollection", { name: "songs" });
    expect(collection).toMatchObject({
      kind: "COLLECTION_KIND_MANAGED",
      dimensions: 384,
      metric: "METRIC_COSINE",
      spaceId: expect.stringMatching(/^local:sentence-transformers\/all-MiniLM-L6-v2@.*:384:mean:l2:256$/),
    });
    const { collections } = await called("CollectionService/ListCollections", {});
    expect(collections.map(({ name }: { name: string }) => name)).toEqual(["images", "songs"]);
    expect(await called("CollectionService/GetCollectionStatistics", { name: "songs" })).toMatchObject({
      rows: String(songs.length),
      plan: "exact",
    });
  });

  test("finds by text, with metadata and document", async () => {
    const { hits, plan } = await called("SearchService/Search", {
      collection: "songs",
      text: "bad weather",
      k: 3,
    });
    expect(hits.map(({ key }: { key: string }) => key).toSorted()).toEqual(["rain", "snow", "storm"]);
    const rain = hits.find(({ key }: { key: string }) => key === "rain");
    expect(rain).toMatchObject({
      document: "a slow song about rain on the window",
      metadata: { year: 1984, genre: "ballad", artist: { country: "GB" } },
    });
    expect(rain.similarity).toBeCloseTo(1 - rain.distance, 12);
    expect(plan).toMatchObject({ method: "SEARCH_METHOD_EXACT", complete: true });
  });

  test("a filter gives what passes, and all of it", async () => {
    const where = {
      and: {
        filters: [
          { range: { field: { segments: ["year"] }, gte: { number: 1980 }, lt: { number: 2000 } } },
          { eq: { field: { segments: ["artist", "country"] }, value: { text: "GB" } } },
        ],
      },
    };
    const { hits, plan } = await called("SearchService/Search", {
      collection: "songs",
      text: "bad weather",
      k: 5,
      where,
    });
    expect(hits.map(({ key }: { key: string }) => key)).toEqual(["rain", "love"]);
    expect(plan).toMatchObject({ complete: true, rowsScanned: "2" });
    const others = await called("VectorService/Scroll", { collection: "songs", filter: { not: where } });
    expect(others["items"].map(({ key }: { key: string }) => key)).toEqual(["sea", "snow", "storm", "sun"]);
  });

  test("a hybrid search lifts what has the word, and shows both ranks", async () => {
    const byMeaning = keysOf(
      await called("SearchService/Search", { collection: "songs", text: "bad weather", k: 6 }),
    );
    const { hits, plan } = await called("SearchService/Search", {
      collection: "songs",
      text: "bad weather",
      k: 6,
      hybrid: { text: "sailors" },
    });
    expect(plan.textMethod).toBe("fts");
    expect(hits[0]).toMatchObject({ key: "sea", textRank: 1 });
    const rank = byMeaning.indexOf("sea") + 1;
    expect(hits[0].fusedScore).toBeCloseTo(1 / (60 + rank) + 1 / 61, 12);
    expect(hits.slice(1).map(({ key }: { key: string }) => key)).toEqual(
      byMeaning.filter((key) => key !== "sea"),
    );
  });

  test("groups have their nearest", async () => {
    const request = { collection: "songs", text: "bad weather", k: 5 };
    const all = (await called("SearchService/Search", { ...request, k: 6 }))["hits"];
    const { hits } = await called("SearchService/Search", {
      ...request,
      groupBy: { field: { segments: ["genre"] } },
    });
    const first = new Map<string, string>();
    for (const { key, metadata } of all) if (!first.has(metadata.genre)) first.set(metadata.genre, key);
    expect(hits.map(({ group, key }: { group: string; key: string }) => [group, key])).toEqual([...first]);
  });

  test("several queries are weighed; items that they name are no hits", async () => {
    const towards = keysOf(
      await called("SearchService/Search", {
        collection: "songs",
        several: { queries: [{ text: "water" }, { key: "sun" }] },
        k: 6,
      }),
    );
    const away = keysOf(
      await called("SearchService/Search", {
        collection: "songs",
        several: { queries: [{ text: "water" }, { key: "sun", weight: -1 }] },
        k: 6,
      }),
    );
    expect(towards).toHaveLength(songs.length - 1);
    expect(towards).not.toContain("sun");
    expect(away.toSorted()).toEqual(towards.toSorted());
    expect(away).not.toEqual(towards);
  });

  test("explains what it would do", async () => {
    const explained = await called("SearchService/Explain", {
      search: {
        collection: "songs",
        text: "bad weather",
        where: { exists: { segments: ["genre"] } },
      },
      analyze: true,
    });
    expect(explained).toMatchObject({
      plan: { method: "SEARCH_METHOD_EXACT", complete: true },
      sql: expect.stringMatching(/<=>[^]*EXISTS/),
      postgresPlan: expect.stringMatching(/actual time=/),
      reasons: [expect.stringContaining("every row is compared")],
    });
    expect(explained["sql"]).not.toContain("genre");
    expect(explained["parameters"].join("\n")).toMatch(/\[-?0\.\d+, .*… 384\]/);
  });

  test("metadata change without the vector", async () => {
    const before = await called("VectorService/GetItems", {
      collection: "songs",
      keys: ["sea"],
      projection: { vector: true },
    });
    const update = {
      collection: "songs",
      keys: ["sea"],
      metadata: [{ genre: null, mood: "jolly" }],
      merge: true,
    };
    expect(await called("VectorService/UpdateMetadata", update)).toEqual({ updated: "1" });
    const { items } = await called("VectorService/GetItems", {
      collection: "songs",
      keys: ["sea", "nobody"],
      projection: { vector: true },
    });
    expect(items).toEqual([
      { ...before["items"][0], metadata: { year: 1961, mood: "jolly", artist: { country: "IE" } } },
    ]);
  });
});

describe("a table of the user's", () => {
  beforeAll(async () => {
    await database.query(`CREATE SCHEMA radio`);
    await database.query(`
      CREATE TABLE radio.song_embeddings (
        song_id INTEGER PRIMARY KEY, title TEXT NOT NULL, year INTEGER, embedding vector(3) NOT NULL)`);
    await database.query(`
      INSERT INTO radio.song_embeddings VALUES
        (9, 'east', 1970, '[1,0,0]'), (10, 'north', 1980, '[0,1,0]'), (11, 'north-east', 1990, '[1,1,0]'),
        (12, 'up', NULL, '[0,0,1]')`);
  });

  const definition = `
    SELECT (SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum)
              FROM pg_attribute WHERE attrelid = 'radio.song_embeddings'::regclass AND attnum > 0) AS columns,
           (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'radio.song_embeddings'::regclass) AS triggers,
           (SELECT count(*) FROM pg_index WHERE indrelid = 'radio.song_embeddings'::regclass) AS indexes`;

  test("is registered as it is", async () => {
    const before = (await database.query(definition)).rows;
    const { collection } = await called("CollectionService/RegisterCollection", {
      table: { schema: "radio", table: "song_embeddings", documentColumn: "title" },
    });
    expect(collection).toMatchObject({
      name: "song_embeddings",
      kind: "COLLECTION_KIND_REGISTERED",
      dimensions: 3,
      table: { keyColumn: "song_id", vectorColumn: "embedding", documentColumn: "title" },
    });
    expect((await database.query(definition)).rows).toEqual(before);
  });

  test("is searched by vector, with its columns as metadata", async () => {
    const { hits } = await called("SearchService/Search", {
      collection: "song_embeddings",
      vector: { data: base64(0, 1, 0) },
      k: 2,
    });
    expect(hits).toMatchObject([
      { key: "10", similarity: 1, document: "north", metadata: { title: "north", year: 1980 } },
      { key: "11", document: "north-east", metadata: { year: 1990 } },
    ]);
    expect(hits[1].distance).toBeCloseTo(1 - Math.SQRT1_2, 6);
  });

  test("is searched by key and filtered by its columns; equal ones come by number, not by text", async () => {
    const search = { collection: "song_embeddings", key: "12" };
    expect(keysOf(await called("SearchService/Search", search))).toEqual(["9", "10", "11"]);
    const old = { range: { field: { segments: ["year"] }, lte: { number: 1980 } } };
    expect(keysOf(await called("SearchService/Search", { ...search, where: old }))).toEqual(["9", "10"]);
    expect(keysOf(await called("SearchService/Search", { ...search, where: { not: old } }))).toEqual(["11"]);
  });

  test("is not searched by text while nobody knows its space", async () => {
    const { status, body } = await call("SearchService/Search", {
      collection: "song_embeddings",
      text: "north",
    });
    expect({ status, code: body["code"] }).toEqual({ status: 400, code: "failed_precondition" });
  });

  test("takes vectors, and stays when the collection is deleted", async () => {
    await called("VectorService/Upsert", {
      collection: "song_embeddings",
      items: { keys: ["9"], vectors: base64(0.5, 0, 0) },
    });
    expect(await called("CollectionService/DeleteCollection", { name: "song_embeddings" })).toEqual({});
    const { rows } = await database.query(
      "SELECT title, year, embedding::text FROM radio.song_embeddings WHERE song_id = 9",
    );
    expect(rows).toEqual([{ title: "east", year: 1970, embedding: "[0.5,0,0]" }]);
  });
});

describe("ingesting over gRPC", () => {
  const batches = 5;
  const perBatch = 400;
  const batch = (sequence: number): MessageInitShape<typeof IngestRequestSchema> => ({
    message: {
      case: "batch",
      value: {
        sequence: BigInt(sequence),
        items: {
          keys: Array.from({ length: perBatch }, (_, i) => `${sequence}/${i}`),
          vectors: packVectors(
            Float32Array.from({ length: 3 * perBatch }, (_, i) => 1 + ((sequence * perBatch + i) % 97)),
          ),
        },
      },
    },
  });
  const stream = async function* (
    collection: string,
    sequences: readonly number[],
    onConflict: ConflictPolicy = ConflictPolicy.SKIP,
  ): AsyncGenerator<MessageInitShape<typeof IngestRequestSchema>> {
    yield { message: { case: "options", value: { collection, onConflict } } };
    for (const sequence of sequences) yield batch(sequence);
  };
  const sequences = Array.from({ length: batches }, (_, i) => i);
  const rowsOf = async (name: string): Promise<string> =>
    (await called("CollectionService/GetCollectionStatistics", { name, exact: true }))["rows"] ?? "0";

  beforeAll(() => called("CollectionService/CreateCollection", { name: "bulk", dimensions: 3 }));

  test("a batch is there when it is acknowledged, and who is cut off goes on behind the last one", async () => {
    const client = createClient(VectorService, channel.transport);
    const cut = new AbortController();
    let acknowledged = 0;
    const unfinished = async function* (): AsyncGenerator<MessageInitShape<typeof IngestRequestSchema>> {
      yield* stream("bulk", sequences.slice(0, 3));
      await once(cut.signal, "abort");
    };
    await expect(async () => {
      for await (const { sequence, inserted } of client.ingest(unfinished(), { signal: cut.signal })) {
        expect([sequence, inserted]).toEqual([BigInt(acknowledged++), BigInt(perBatch)]);
        const keys = [`${sequence}/0`, `${sequence}/${perBatch - 1}`];
        const { items } = await client.getItems({ collection: "bulk", keys });
        expect(items.map(({ key }) => key)).toEqual(keys);
        if (acknowledged === 2) cut.abort();
      }
    }).rejects.toMatchObject({ kind: "cancelled" });

    const answers = [];
    for await (const answer of client.ingest(stream("bulk", sequences.slice(acknowledged)))) {
      answers.push(answer);
    }
    expect(answers.map(({ sequence }) => Number(sequence))).toEqual(sequences.slice(acknowledged));
    // What was stored without its answer getting through is skipped.
    for (const { inserted, skipped } of answers) expect(inserted + skipped).toBe(BigInt(perBatch));
    expect(await rowsOf("bulk")).toBe(String(batches * perBatch));
  }, 60_000);

  test("on an error, what was acknowledged stays, and nothing behind it came in", async () => {
    const client = createClient(VectorService, channel.transport);
    const acknowledged: number[] = [];
    await expect(async () => {
      for await (const { sequence } of client.ingest(stream("bulk", [10, 0, 11], ConflictPolicy.ERROR)))
        acknowledged.push(Number(sequence));
    }).rejects.toMatchObject({
      kind: "already-exists",
      metadata: { sequence: "0", key: "0/0" },
      violations: [],
    });
    expect(acknowledged).toEqual([10]);
    expect(await rowsOf("bulk")).toBe(String((batches + 1) * perBatch));
  }, 60_000);
});

test("the same text by Embed and by Search is the same vector", async () => {
  await using embedding = openChannel({ address: stack.addresses["embedding"] as string });
  const { vectors } = await createClient(EmbeddingService, embedding.transport).embed({
    texts: ["bad weather"],
  });
  const data = Buffer.from(vectors).toString("base64");
  const byVector = await called("SearchService/Search", { collection: "songs", vector: { data } });
  const byText = await called("SearchService/Search", { collection: "songs", text: "bad weather" });
  expect(byVector["hits"]).toEqual(byText["hits"]);
});

describe("without the embedding service", () => {
  beforeAll(() => stack.process("embedding").stop());

  test("searches by vector and by key go on", async () => {
    const data = base64(...Array.from({ length: 384 }, (_, i) => (i === 0 ? 1 : 0)));
    const byVector = await called("SearchService/Search", { collection: "songs", vector: { data } });
    expect(keysOf(byVector)).toHaveLength(songs.length);
    const byKey = await called("SearchService/Search", { collection: "songs", key: "rain", k: 2 });
    expect(keysOf(byKey)).toHaveLength(2);
  });

  test.each([
    ["Search", "SearchService/Search", { collection: "songs", text: "a text that nobody has asked for" }],
    [
      "Upsert of texts",
      "VectorService/Upsert",
      { collection: "songs", items: { keys: ["new"], texts: ["a text that nobody has sent"] } },
    ],
  ])(
    "%s is UNAVAILABLE, and says when to try again",
    async (_, method, request) => {
      const { status, body } = await call(method, request);
      expect({ status, code: body["code"] }).toEqual({ status: 503, code: "unavailable" });
      const retry = body["details"].find(({ type }: { type: string }) => type === "google.rpc.RetryInfo");
      expect(retry?.debug.retryDelay).toMatch(/^\d+(\.\d+)?s$/);
      expect(Number.parseFloat(retry.debug.retryDelay)).toBeGreaterThan(0);
    },
    60_000,
  );

  test("searches of a batch fail each on its own", async () => {
    const { results } = await called("SearchService/SearchBatch", {
      searches: [
        { collection: "songs", key: "rain", k: 1 },
        { collection: "songs", text: "another text that nobody has asked for" },
      ],
    });
    expect(results[0].response.hits).toHaveLength(1);
    // google.rpc.Code's UNAVAILABLE.
    expect(results[1].failure).toMatchObject({ code: 14, retryAfter: expect.stringMatching(/s$/) });
  }, 60_000);
});
