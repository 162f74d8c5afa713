import { credentials, Client as GrpcClient, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import {
  CollectionService,
  ImageService,
  IndexService,
  OperationService,
  RecallService,
  SearchService,
  VectorService,
} from "@kindred/contracts/vector-store/v1";
import { isKindredError } from "@kindred/errors";
import { fromConnectError, openChannel, packVectors, type Channel } from "@kindred/rpc";
import { startStack, type Stack } from "@kindred/testing";
import pg from "pg";
import { byVector, once, type BadCall, type Clients } from "./bad-calls.ts";
import { BAD_OPERATION_CALLS } from "./bad-operation-calls.ts";
import { BAD_COLLECTION_CALLS, BAD_INGESTS } from "./bad-collection-calls.ts";

// Every bad input gets the right code with the field named, on every port, and changes nothing.

const SERVICES = ["embedding", "vector-store", "generation-tracking", "metrics"] as const;
type ServiceName = (typeof SERVICES)[number];

const dimensions = 384;
const unit = Float32Array.from({ length: dimensions }, (_, i) => (i === 0 ? 1 : 0));
const withNaN = unit.with(5, Number.NaN);

const BAD_CALLS: BadCall[] = [
  {
    name: "Embed without texts",
    call: (c) => c.embedding.embed({ texts: [] }),
    kind: "invalid-argument",
    field: "texts",
  },
  {
    name: "Embed of a text of 10 MiB",
    call: (c) => c.embedding.embed({ texts: ["fine", "a ".repeat(5 * 2 ** 20)] }),
    kind: "invalid-argument",
    field: "texts[1]",
  },
  {
    name: "Embed in another space than the served one",
    call: (c) => c.embedding.embed({ texts: ["x"], expectedSpaceId: "openai:ada@2:1536:mean:l2:8191" }),
    kind: "failed-precondition",
  },
  {
    name: "Tokenize without texts",
    call: (c) => c.embedding.tokenize({ texts: [] }),
    kind: "invalid-argument",
    field: "texts",
  },
  {
    name: "AddImage without a path",
    call: (c) => c.images.addImage({ image: {} }),
    kind: "invalid-argument",
    field: "image.image_path",
  },
  {
    name: "AddImage without an image",
    call: (c) => c.images.addImage({}),
    kind: "invalid-argument",
    field: "image",
  },
  {
    name: "AddImage with a path of 501 characters",
    call: (c) => c.images.addImage({ image: { imagePath: "x".repeat(501) } }),
    kind: "invalid-argument",
    field: "image.image_path",
  },
  {
    name: "AddImage with a path that is taken",
    call: (c) => c.images.addImage({ image: { imagePath: "taken.png" } }),
    kind: "already-exists",
  },
  {
    name: "AddImageWithEmbeddings with a path that is taken",
    call: (c) => c.images.addImageWithEmbeddings({ image: { imagePath: "taken.png", description: "a cat" } }),
    kind: "already-exists",
  },
  {
    name: "AddImageWithEmbeddings with nothing to embed",
    call: (c) => c.images.addImageWithEmbeddings({ image: { imagePath: "new.png" } }),
    kind: "invalid-argument",
    field: "image.description",
  },
  {
    name: "AddImageWithEmbeddings with a vector of 3 dimensions",
    call: (c) =>
      c.images.addImageWithEmbeddings({
        image: { imagePath: "new.png" },
        embeddings: [{ source: byVector(new Float32Array([1, 2, 3])) }],
      }),
    kind: "invalid-argument",
    field: "embeddings[0].vector.data",
  },
  {
    name: "AddEmbeddings with NaN",
    call: (c) =>
      c.images.addEmbeddings({
        imageId: 1n,
        embeddings: [{ source: byVector(unit) }, { source: byVector(withNaN) }],
      }),
    kind: "invalid-argument",
    field: "embeddings[1].vector.data",
  },
  {
    name: "AddEmbeddings of another space",
    call: (c) =>
      c.images.addEmbeddings({
        imageId: 1n,
        embeddings: [{ source: { case: "vector", value: { data: packVectors(unit), spaceId: "another" } } }],
      }),
    kind: "failed-precondition",
  },
  {
    name: "AddEmbeddings of nothing",
    call: (c) => c.images.addEmbeddings({ imageId: 1n, embeddings: [] }),
    kind: "invalid-argument",
    field: "embeddings",
  },
  {
    name: "AddEmbeddings to an unknown image",
    call: (c) => c.images.addEmbeddings({ imageId: 987_654n, embeddings: [{ source: byVector(unit) }] }),
    kind: "not-found",
  },
  {
    name: "GetImage of an unknown id",
    call: (c) => c.images.getImage({ key: { case: "id", value: 987_654n } }),
    kind: "not-found",
  },
  {
    name: "GetImage without a key",
    call: (c) => c.images.getImage({}),
    kind: "invalid-argument",
    field: "key",
  },
  {
    name: "UpdateImage of an unknown id",
    call: (c) => c.images.updateImage({ id: 987_654n, description: "x" }),
    kind: "not-found",
  },
  {
    name: "DeleteImage of an unknown id",
    call: (c) => c.images.deleteImage({ id: 987_654n }),
    kind: "not-found",
  },
  {
    name: "ListImages with a page of 5,000",
    call: (c) => c.images.listImages({ pageSize: 5_000 }),
    kind: "invalid-argument",
    field: "page_size",
  },
  {
    name: "ListImages with a token of our own making",
    call: (c) => c.images.listImages({ pageToken: "page two" }),
    kind: "invalid-argument",
    field: "page_token",
  },
  { name: "Search for nothing", call: (c) => c.search.search({}), kind: "invalid-argument", field: "query" },
  {
    name: "Search with k = 0",
    call: (c) => c.search.search({ query: { case: "text", value: "cat" }, k: 0 }),
    kind: "invalid-argument",
    field: "k",
  },
  {
    name: "Search with k = 100000",
    call: (c) => c.search.search({ query: { case: "text", value: "cat" }, k: 100_000 }),
    kind: "invalid-argument",
    field: "k",
  },
  {
    name: "Search with a vector of 3 dimensions",
    call: (c) => c.search.search({ query: byVector(new Float32Array(3)) }),
    kind: "invalid-argument",
    field: "vector.data",
  },
  {
    name: "Search with NaN",
    call: (c) => c.search.search({ query: byVector(withNaN) }),
    kind: "invalid-argument",
    field: "vector.data",
  },
  {
    name: "Search by an unknown image",
    call: (c) => c.search.search({ query: { case: "imageId", value: 987_654n } }),
    kind: "not-found",
  },
  {
    name: "RecordGeneration without a prompt",
    call: (c) => c.generations.recordGeneration({ generation: {} }),
    kind: "invalid-argument",
    field: "generation.prompt",
  },
  {
    name: "RecordGeneration with a negative time",
    call: (c) => c.generations.recordGeneration({ generation: { prompt: "x", generationTimeMs: -1 } }),
    kind: "invalid-argument",
    field: "generation.generation_time_ms",
  },
  {
    name: "GetGeneration of an unknown id",
    call: (c) => c.generations.getGeneration({ id: 987_654n }),
    kind: "not-found",
  },
  {
    name: "ListGenerations with garbage for a token",
    call: (c) => c.generations.listGenerations({ pageToken: "!" }),
    kind: "invalid-argument",
    field: "page_token",
  },
  {
    name: "ReportMetrics without samples",
    call: (c) => c.metrics.reportMetrics({ samples: [] }),
    kind: "invalid-argument",
    field: "samples",
  },
  {
    name: "ReportMetrics with NaN",
    call: (c) => c.metrics.reportMetrics({ samples: [{ component: "x", cpuUsage: Number.NaN }] }),
    kind: "invalid-argument",
    field: "samples[0].cpu_usage",
  },
  {
    name: "GetMetricsHistory of minus one hour",
    call: (c) => c.metrics.getMetricsHistory({ hours: -1 }),
    kind: "invalid-argument",
    field: "hours",
  },
];

const STREAMED: BadCall[] = [
  {
    name: "BatchAddImages without images",
    call: (c) => c.images.batchAddImages(once({ images: [] })),
    kind: "invalid-argument",
    field: "images",
  },
  {
    name: "BatchAddImages with a path twice",
    call: (c) =>
      c.images.batchAddImages(
        once({
          images: ["a.png", "b.png", "a.png"].map((imagePath) => ({
            image: { imagePath, description: "x" },
          })),
        }),
      ),
    kind: "invalid-argument",
    field: "images[2].image.image_path",
  },
  {
    name: "BatchAddImages with a bad vector in its last image",
    call: (c) =>
      c.images.batchAddImages(
        once({
          images: [
            { image: { imagePath: "a.png", description: "fine" } },
            { image: { imagePath: "b.png" }, embeddings: [{ source: byVector(withNaN) }] },
          ],
        }),
      ),
    kind: "invalid-argument",
    field: "images[1].embeddings[0].vector.data",
  },
];

let stack: Stack;
const channels: Partial<Record<ServiceName, Channel>> = {};

beforeAll(async () => {
  stack = await startStack({ services: [...SERVICES] });
  for (const name of SERVICES) channels[name] = openChannel({ address: stack.addresses[name] as string });
  const images = createClient(ImageService, (channels["vector-store"] as Channel).transport);
  await images.addImageWithEmbeddings({ image: { imagePath: "taken.png", description: "a red bicycle" } });
  await addCollections((channels["vector-store"] as Channel).transport);
}, 180_000);

async function addCollections(transport: Channel["transport"]): Promise<void> {
  const client = new pg.Client({ connectionString: stack.database?.url });
  await client.connect();
  try {
    await client.query("CREATE TABLE public.plain (id INTEGER PRIMARY KEY)");
    await client.query(
      "CREATE TABLE public.mine (id INTEGER PRIMARY KEY, title TEXT NOT NULL, embedding vector(3) NOT NULL)",
    );
    await client.query("INSERT INTO public.mine VALUES (1, 'one', '[1,0,0]'), (2, 'two', '[0,1,0]')");
  } finally {
    await client.end();
  }
  const collections = createClient(CollectionService, transport);
  await collections.createCollection({ name: "things", dimensions: 3 });
  await collections.registerCollection({ table: { schema: "public", table: "mine" } });
  await createClient(VectorService, transport).upsert({
    collection: "things",
    items: {
      keys: ["a", "b"],
      vectors: packVectors(Float32Array.of(1, 0, 0, 0, 1, 0)),
      metadata: [{ year: 1 }, { year: 2 }],
    },
  });
}

afterAll(async () => {
  for (const channel of Object.values(channels)) await channel[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
});

/** Everything that a bad call might have changed. */
async function counts(): Promise<unknown> {
  const store = await createClient(
    IndexService,
    (channels["vector-store"] as Channel).transport,
  ).getStatistics({});
  const generations = await createClient(
    GenerationService,
    (channels["generation-tracking"] as Channel).transport,
  ).getStatistics({});
  const { samples } = await createClient(
    MetricsService,
    (channels.metrics as Channel).transport,
  ).getMetricsHistory({
    component: "x",
  });
  return [
    store.totalImages,
    store.totalEmbeddings,
    generations.totalGenerations,
    samples.length,
    await collectionsAndItems((channels["vector-store"] as Channel).transport),
  ];
}

async function collectionsAndItems(transport: Channel["transport"]): Promise<unknown> {
  const { collections } = await createClient(CollectionService, transport).listCollections({});
  const vectors = createClient(VectorService, transport);
  const items = collections.map(async ({ name }) =>
    vectors.scroll({ collection: name, pageSize: 1000, projection: { vector: true } }),
  );
  return [collections, await Promise.all(items)];
}

const PORTS: Record<string, (name: ServiceName) => Parameters<typeof createClient>[1]> = {
  gRPC: (name) => (channels[name] as Channel).transport,
  "Connect with JSON": (name) =>
    createConnectTransport({
      baseUrl: stack.httpUrls[name] as string,
      httpVersion: "1.1",
      useBinaryFormat: false,
    }),
  "gRPC-Web": (name) =>
    createGrpcWebTransport({ baseUrl: stack.httpUrls[name] as string, httpVersion: "1.1" }),
};

describe.each(Object.keys(PORTS))("bad input over %s", (port) => {
  let clients: Clients;
  let before: unknown;

  beforeAll(async () => {
    const transport = PORTS[port] as (name: ServiceName) => Parameters<typeof createClient>[1];
    clients = {
      embedding: createClient(EmbeddingService, transport("embedding")),
      images: createClient(ImageService, transport("vector-store")),
      collections: createClient(CollectionService, transport("vector-store")),
      vectors: createClient(VectorService, transport("vector-store")),
      search: createClient(SearchService, transport("vector-store")),
      operations: createClient(OperationService, transport("vector-store")),
      recall: createClient(RecallService, transport("vector-store")),
      generations: createClient(GenerationService, transport("generation-tracking")),
      metrics: createClient(MetricsService, transport("metrics")),
    };
    before = await counts();
  });

  const calls = [...BAD_CALLS, ...BAD_COLLECTION_CALLS, ...BAD_OPERATION_CALLS];
  // gRPC-Web has no client streams, and over HTTP/1.1 nobody has streams in both directions.
  if (port !== "gRPC-Web") calls.push(...STREAMED);
  if (port === "gRPC") calls.push(...BAD_INGESTS);
  test.each(calls.map((bad) => [bad.name, bad] as const))("%s", async (_, bad) => {
    const thrown = await bad.call(clients).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(thrown).toBeDefined();
    const error = isKindredError(thrown) ? thrown : fromConnectError(thrown);
    expect({ kind: error.kind, fields: error.violations.map((v) => v.field) }).toEqual({
      kind: bad.kind,
      fields: bad.field === undefined ? [] : [bad.field],
    });
    if (bad.field !== undefined) expect(error.message).toContain(bad.field);
  });

  afterAll(async () => {
    expect(await counts()).toEqual(before);
  });
});

describe("malformed protobuf", () => {
  const garbage = Uint8Array.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01]);

  test("over gRPC is INVALID_ARGUMENT", async () => {
    const client = new GrpcClient(stack.addresses["vector-store"] as string, credentials.createInsecure());
    try {
      const code = await new Promise((resolve) => {
        client.makeUnaryRequest(
          "/kindred.vector_store.v1.SearchService/Search",
          (bytes: Buffer) => bytes,
          (bytes: Buffer) => bytes,
          Buffer.from(garbage),
          (error) => resolve(error?.code),
        );
      });
      expect(code).toBe(status.INVALID_ARGUMENT);
    } finally {
      client.close();
    }
  });

  test.each(["application/proto", "application/json"])(
    "over Connect as %s is invalid_argument",
    async (contentType) => {
      const response = await fetch(
        `${stack.httpUrls["vector-store"]}/kindred.vector_store.v1.SearchService/Search`,
        {
          method: "POST",
          headers: { "content-type": contentType, "connect-protocol-version": "1" },
          body: garbage,
        },
      );
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: "invalid_argument" });
    },
  );
});
