import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { ImageService, IndexService, SearchService, type Metric } from "@kindred/contracts/vector-store/v1";
import { createInMemoryTransport, packVectors } from "@kindred/rpc";
import { problemsOf, silentLogger, untouchable } from "@kindred/testing";
import type { Collection } from "../domain/collection.ts";
import type { CollectionRepository } from "../domain/item-ports.ts";
import { imagesLayout } from "../domain/layout.ts";
import { vectorStoreRoutes, type VectorStoreDeps } from "./routes.ts";
import { AUTO_POLICY } from "../domain/index-policy.ts";

/** What a query's vector is held against. */
const IMAGES: Collection = {
  name: "images",
  kind: "images",
  dimensions: 384,
  elementType: "vector",
  metric: "cosine",
  space: undefined,
  recallTarget: 0.95,
  indexPolicy: AUTO_POLICY,
  textSearchConfig: "english",
  hashPartitions: undefined,
  reembeddingSpaceId: undefined,
  layout: imagesLayout("vector_store", "vector"),
  createdAt: new Date(0),
};

const deps: VectorStoreDeps = {
  embedding: untouchable("the embedding service"),
  images: untouchable("the images"),
  catalogue: untouchable("the catalogue"),
  indexes: untouchable("the indexes"),
  planner: untouchable("the planner"),
  log: untouchable("the log"),
  advisor: untouchable("the advisor"),
  operations: untouchable("the operations"),
  statistics: untouchable("the statistics"),
  usage: async () => {
    throw new Error("the sizes were asked for");
  },
  collections: untouchable<CollectionRepository>("the collections", { get: async () => IMAGES }),
  items: untouchable("the items"),
  search: untouchable("the search"),
  texts: untouchable("the documents"),
  recall: untouchable("recall"),
  recallProbe: untouchable("the probe"),
  measureRecall: async () => {
    throw new Error("recall was measured");
  },
  moves: untouchable("the moves"),
};
const transport = createInMemoryTransport(vectorStoreRoutes(deps), { logger: silentLogger() });
const images = createClient(ImageService, transport);
const searches = createClient(SearchService, transport);
const indexes = createClient(IndexService, transport);

const DIMENSIONS = 384;
const unit = Float32Array.from({ length: DIMENSIONS }, (_, i) => (i === 0 ? 1 : 0));
const vector = (values: Float32Array, spaceId = "") => ({
  case: "vector" as const,
  value: { data: packVectors(values), spaceId },
});
const text = (value: string) => ({ case: "text" as const, value });
const good = { imagePath: "a.png", description: "a cat" };
const MIB = 2 ** 20;

describe("an image", () => {
  test.each<[string, object, string]>([
    ["no path", { imagePath: "" }, "image.image_path must not be empty"],
    [
      "a long path",
      { imagePath: "é".repeat(501) },
      "image.image_path must be at most 500 characters, has 501",
    ],
    ["NUL in its path", { imagePath: "a\0b" }, "image.image_path must not contain NUL characters"],
    [
      "a long description",
      { description: "é".repeat(MIB / 2 + 1) },
      `image.description must be at most ${MIB} bytes of UTF-8, has ${MIB + 2}`,
    ],
    ["NUL in its description", { description: "\0" }, "image.description must not contain NUL characters"],
    ["no width", { width: 0 }, "image.width must be positive, is 0"],
    ["a negative height", { height: -2 }, "image.height must be positive, is -2"],
    ["a negative size", { fileSizeBytes: -1n }, "image.file_size_bytes must not be negative, is -1"],
    ["a long format", { format: "elevenchars" }, "image.format must be at most 10 characters, has 11"],
    [
      "a long data set",
      { sourceDataset: "x".repeat(101) },
      "image.source_dataset must be at most 100 characters, has 101",
    ],
    ["an empty tag", { tags: ["a", ""] }, "image.tags[1] must not be empty"],
    ["a long tag", { tags: ["x".repeat(201)] }, "image.tags[0] must be at most 200 characters, has 201"],
    [
      "many tags",
      { tags: Array.from({ length: 101 }, () => "t") },
      "image.tags must be at most 100, are 101",
    ],
  ])("with %s is refused", async (_, bad, problem) => {
    expect(await problemsOf(images.addImage({ image: { ...good, ...bad } }))).toEqual([problem]);
    expect(await problemsOf(images.addImageWithEmbeddings({ image: { ...good, ...bad } }))).toEqual([
      problem,
    ]);
  });

  test("that is absent is required", async () => {
    expect(await problemsOf(images.addImage({}))).toEqual(["image is required"]);
    expect(await problemsOf(images.addImageWithEmbeddings({}))).toEqual(["image is required"]);
  });

  test("of characters that take several bytes or units is measured in characters", async () => {
    const path = "🐈".repeat(500);
    await expect(images.addImage({ image: { imagePath: path } })).rejects.toThrow("internal error");
    expect(await problemsOf(images.addImage({ image: { imagePath: `${path}x` } }))).toEqual([
      "image.image_path must be at most 500 characters, has 501",
    ]);
  });

  test("that is changed is held to the same limits, under its own field names", async () => {
    const bad = { description: "\0", tags: { values: [""] }, width: 0, height: -1, fileSizeBytes: -5n };
    expect(
      await problemsOf(
        images.updateImage({ id: 1n, ...bad, format: "x".repeat(11), sourceDataset: "x".repeat(101) }),
      ),
    ).toEqual([
      "description must not contain NUL characters",
      "tags.values[0] must not be empty",
      "width must be positive, is 0",
      "height must be positive, is -1",
      "file_size_bytes must not be negative, is -5",
      "format must be at most 10 characters, has 11",
      "source_dataset must be at most 100 characters, has 101",
    ]);
  });

  test("all that is wrong is reported at once", async () => {
    expect(
      await problemsOf(
        images.addImageWithEmbeddings({ image: { width: -1 }, embeddings: [{}, { source: text("\0") }] }),
      ),
    ).toEqual([
      "image.image_path must not be empty",
      "image.width must be positive, is -1",
      "embeddings[0].source is required: text or vector",
      "embeddings[1].text must not contain NUL characters",
    ]);
  });
});

describe("an embedding", () => {
  const withNaN = unit.with(5, Number.NaN);
  test.each<[string, object, string]>([
    ["no source", {}, "embeddings[1].source is required: text or vector"],
    ["an empty text", { source: text("") }, "embeddings[1].text must not be empty"],
    [
      "a text of 10 MiB",
      { source: text("x".repeat(10 * MIB)) },
      `embeddings[1].text must be at most ${MIB} bytes of UTF-8, has ${10 * MIB}`,
    ],
    [
      "a vector of 3 dimensions",
      { source: vector(unit.subarray(0, 3)) },
      "embeddings[1].vector.data must hold 384 little-endian float32 values (1536 bytes), has 12 bytes",
    ],
    [
      "no bytes",
      { source: vector(new Float32Array(0)) },
      "embeddings[1].vector.data must hold 384 little-endian float32 values (1536 bytes), has 0 bytes",
    ],
    [
      "NaN",
      { source: vector(withNaN) },
      "embeddings[1].vector.data must hold finite numbers only, value 5 is NaN",
    ],
    [
      "infinity",
      { source: vector(unit.with(383, -Infinity)) },
      "embeddings[1].vector.data must hold finite numbers only, value 383 is -Infinity",
    ],
    [
      "the zero vector",
      { source: vector(new Float32Array(DIMENSIONS)) },
      "embeddings[1].vector.data must not be the zero vector",
    ],
    [
      "a vector whose norm vanishes",
      { source: vector(new Float32Array(DIMENSIONS).fill(1e-30)) },
      "embeddings[1].vector.data must not be the zero vector",
    ],
    [
      "a vector whose norm overflows",
      { source: vector(new Float32Array(DIMENSIONS).fill(1e18)) },
      "embeddings[1].vector.data must have a norm below 1.8e19",
    ],
    [
      "a long space id",
      { source: vector(unit, "x".repeat(1001)) },
      "embeddings[1].vector.space_id must be at most 1000 characters, has 1001",
    ],
    ["a long key", { key: "k".repeat(201) }, "embeddings[1].key must be at most 200 characters, has 201"],
    [
      "a long type",
      { embeddingType: "t".repeat(51) },
      "embeddings[1].embedding_type must be at most 50 characters, has 51",
    ],
    [
      "a long model type",
      { modelType: "t".repeat(101) },
      "embeddings[1].model_type must be at most 100 characters, has 101",
    ],
    [
      "a long model name",
      { modelName: "t".repeat(201) },
      "embeddings[1].model_name must be at most 200 characters, has 201",
    ],
    [
      "NUL in its metadata",
      { metadata: { a: [{ b: "\0" }] } },
      "embeddings[1].metadata must hold well-formed text without NUL characters",
    ],
    [
      "large metadata",
      { metadata: { a: "x".repeat(MIB) } },
      `embeddings[1].metadata must be at most ${MIB} bytes as JSON, has ${MIB + 8}`,
    ],
    [
      "the key of another",
      { key: "first" },
      "embeddings[1].key must be unique within the image, is that of embeddings[0] too",
    ],
  ])("with %s is refused", async (_, bad, problem) => {
    const embeddings = [
      { key: "first", source: text("fine") },
      { ...(problem.includes("source") ? {} : { source: text("fine") }), ...bad },
    ];
    expect(await problemsOf(images.addEmbeddings({ imageId: 1n, embeddings }))).toEqual([problem]);
    expect(await problemsOf(images.addImageWithEmbeddings({ image: good, embeddings }))).toEqual([problem]);
  });

  test("has to be there: one to a thousand, or a description", async () => {
    const many = Array.from({ length: 1001 }, (_, i) => ({ key: String(i), source: text("x") }));
    expect(await problemsOf(images.addEmbeddings({ imageId: 1n }))).toEqual([
      "embeddings must be 1 to 1000, are 0",
    ]);
    expect(await problemsOf(images.addEmbeddings({ imageId: 1n, embeddings: many }))).toEqual([
      "embeddings must be 1 to 1000, are 1001",
    ]);
    expect(await problemsOf(images.addImageWithEmbeddings({ image: good, embeddings: many }))).toEqual([
      "embeddings must be at most 1000, are 1001",
    ]);
    expect(await problemsOf(images.addImageWithEmbeddings({ image: { imagePath: "a" } }))).toEqual([
      "image.description must not be empty when there are no embeddings: it is what is embedded",
    ]);
  });
});

describe("a batch", () => {
  const send = async (
    batch: Parameters<typeof images.batchAddImages>[0] extends AsyncIterable<infer T> ? T : never,
  ) =>
    await problemsOf(
      images.batchAddImages(
        (async function* () {
          yield batch;
        })(),
      ),
    );

  test("needs images, not too many, and no path twice", async () => {
    expect(await send({})).toEqual(["images must be 1 to 1000, are 0"]);
    const many = Array.from({ length: 1001 }, (_, i) => ({ image: { imagePath: String(i) } }));
    expect(await send({ images: many })).toEqual(["images must be 1 to 1000, are 1001"]);
    const twice = ["a", "b", "a"].map((imagePath) => ({ image: { imagePath } }));
    expect(await send({ images: twice })).toEqual([
      "images[2].image.image_path must be unique within the batch, is that of images[0] too",
    ]);
  });

  test("has at most 10,000 embeddings", async () => {
    const full = Array.from({ length: 10 }, (_, i) => ({
      image: { imagePath: String(i) },
      embeddings: Array.from({ length: 1000 }, (__, e) => ({ key: String(e), source: text("x") })),
    }));
    expect(await send({ images: [...full, { image: good }] })).toEqual([
      "images must have at most 10000 embeddings together, have 10001",
    ]);
  });

  test("names what is wrong by its place", async () => {
    expect(
      await send({
        images: [
          { image: good },
          {},
          { image: { imagePath: "b" }, embeddings: [{ source: vector(unit.with(0, 0)) }] },
        ],
        onConflict: 9 as never,
      }),
    ).toEqual([
      "on_conflict must be a known OnConflict, is 9",
      "images[1].image is required",
      "images[2].embeddings[0].vector.data must not be the zero vector",
    ]);
  });
});

describe("a search", () => {
  const query = text("cat");
  test.each<[string, object, string]>([
    ["nothing", { query: { case: undefined } }, "query is required: text, vector, key, image_id or several"],
    ["an empty text", { query: text("") }, "text must not be empty"],
    [
      "a text of 10 MiB",
      { query: text("x".repeat(10 * MIB)) },
      `text must be at most ${MIB} bytes of UTF-8, has ${10 * MIB}`,
    ],
    ["no hits", { k: 0 }, "k must be 1 to 1000, is 0"],
    ["fewer than none", { k: -1 }, "k must be 1 to 1000, is -1"],
    ["too many hits", { k: 100_000 }, "k must be 1 to 1000, is 100000"],
    ["a threshold of NaN", { threshold: Number.NaN }, "threshold must be a finite number, is NaN"],
    ["an unknown metric", { metric: 9 as Metric }, "metric must be a known Metric, is 9"],
    [
      "a negative ef_search",
      { efSearch: -1 },
      "ef_search must be 1 to 1000, or 0 for the store to choose; is -1",
    ],
    [
      "a large ef_search",
      { efSearch: 1001 },
      "ef_search must be 1 to 1000, or 0 for the store to choose; is 1001",
    ],
    [
      "a vector of 3 dimensions",
      { query: vector(unit.subarray(0, 3)) },
      "vector.data must hold 384 little-endian float32 values (1536 bytes), has 12 bytes",
    ],
    [
      "a zero vector",
      { query: vector(new Float32Array(DIMENSIONS)) },
      "vector.data must not be the zero vector",
    ],
    ["NUL in a filter", { filter: { modelType: "\0" } }, "filter.model_type must not contain NUL characters"],
    [
      "a long filter",
      { filter: { embeddingType: "x".repeat(51) } },
      "filter.embedding_type must be at most 50 characters, has 51",
    ],
    [
      "a long data set",
      { filter: { sourceDataset: "x".repeat(101) } },
      "filter.source_dataset must be at most 100 characters, has 101",
    ],
  ])("for %s is refused", async (_, bad, problem) => {
    expect(await problemsOf(searches.search({ query, ...bad }))).toEqual([problem]);
  });
});

describe("a list", () => {
  test.each<[string, object, string]>([
    ["of a negative size", { pageSize: -1 }, "page_size must be 1 to 1000, or 0 for 50; is -1"],
    ["of 5,000", { pageSize: 5000 }, "page_size must be 1 to 1000, or 0 for 50; is 5000"],
    [
      "with a token of one's own making",
      { pageToken: "page two" },
      "page_token is not a token of this list: give next_page_token as it was returned, with the same filters",
    ],
    ["with NUL in its filter", { sourceDataset: "\0" }, "source_dataset must not contain NUL characters"],
    ["with an empty tag", { tags: [""] }, "tags[0] must not be empty"],
  ])("%s is refused", async (_, bad, problem) => {
    expect(await problemsOf(images.listImages(bad))).toEqual([problem]);
  });
});

test("GetImage needs a key", async () => {
  expect(await problemsOf(images.getImage({}))).toEqual(["key is required: id or image_path"]);
});

test("EnsureIndex names both bad parameters", async () => {
  expect(await problemsOf(indexes.ensureIndex({ m: 1, efConstruction: 2000 }))).toEqual([
    "m must be 2 to 100, or 0 for the default; is 1",
    "ef_construction must be 2 * m (4) to 1000, or 0 for the default; is 2000",
  ]);
});
