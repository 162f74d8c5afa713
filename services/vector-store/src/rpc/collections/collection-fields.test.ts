import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import {
  CollectionService,
  ElementType,
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  Metric,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { problemsOf, silentLogger, untouchable } from "@kindred/testing";
import { parseSpaceId } from "../../domain/embedding-space.ts";
import { collectionRoutes } from "./routes.ts";

const deps: Parameters<typeof collectionRoutes>[0] = {
  collections: untouchable("the collections"),
  embedding: untouchable("the embeddings"),
  moves: untouchable("the moves"),
  operations: untouchable("the operations"),
};
const transport = createInMemoryTransport(
  (router) => router.service(CollectionService, collectionRoutes(deps)),
  { logger: silentLogger() },
);
const client = createClient(CollectionService, transport);

const NAME_RULE = "must be 1 to 63 of a-z, 0-9 and _, beginning with a letter";
const PARTITIONS_RULE = "must be 2 to 256, or 0 for one table";
const SPACE = "local:m@1:384:mean:l2:256";

describe("a new collection", () => {
  const good = { name: "songs", dimensions: 8 };
  test.each<[string, object, string[]]>([
    ["no name", { name: "" }, [`name ${NAME_RULE}; is ""`]],
    ["a name of capitals", { name: "Songs" }, [`name ${NAME_RULE}; is "Songs"`]],
    ["a name that begins with a digit", { name: "1a" }, [`name ${NAME_RULE}; is "1a"`]],
    ["a name with a quote", { name: 'a"b' }, [`name ${NAME_RULE}; is "a\\"b"`]],
    ["a long name", { name: "a".repeat(64) }, [`name ${NAME_RULE}; is "${"a".repeat(64)}"`]],
    [
      "no dimensions",
      { dimensions: 0 },
      ["dimensions must be 1 to 16000 for vector, or 0 with a space_id that says; is 0"],
    ],
    [
      "negative dimensions",
      { dimensions: -1 },
      ["dimensions must be 1 to 16000 for vector, or 0 with a space_id that says; is -1"],
    ],
    [
      "too many dimensions",
      { dimensions: 16_001, elementType: ElementType.HALFVEC },
      ["dimensions must be 1 to 16000 for halfvec, or 0 with a space_id that says; is 16001"],
    ],
    [
      "too many bits",
      { dimensions: 64_001, elementType: ElementType.BIT },
      ["dimensions must be 1 to 64000 for bit, or 0 with a space_id that says; is 64001"],
    ],
    [
      "dimensions of another space",
      { spaceId: SPACE },
      ["dimensions must be 384 as in space_id, or 0; is 8"],
    ],
    [
      "a space of no dimensions",
      { dimensions: 0, spaceId: "local:m@1:0:mean:l2:256" },
      ["space_id must be of 1 to 16000 dimensions for vector, is of 0"],
    ],
    [
      "a space that is none",
      { dimensions: 0, spaceId: "minilm" },
      ["space_id must have the form provider:model@revision:dimensions:pooling:normalization:max_tokens"],
    ],
    [
      "dimensions and the served space",
      { servedSpace: true },
      ["served_space cannot be given together with dimensions"],
    ],
    [
      "a space and the served one",
      { dimensions: 0, spaceId: SPACE, servedSpace: true },
      ["served_space cannot be given together with space_id"],
    ],
    ["an unknown element type", { elementType: 9 }, ["element_type must be a known ElementType, is 9"]],
    ["an unknown metric", { metric: 77 }, ["metric must be a known Metric, is 77"]],
    [
      "a metric of bits for vectors",
      { metric: Metric.HAMMING },
      ["metric must be one for vector: cosine, l2, inner-product, l1; is hamming"],
    ],
    [
      "a metric of vectors for bits",
      { elementType: ElementType.BIT, metric: Metric.COSINE },
      ["metric must be one for bit: hamming, jaccard; is cosine"],
    ],
    ["a recall target of 0", { recallTarget: 0 }, ["recall_target must be above 0 and at most 1, is 0"]],
    ["one above 1", { recallTarget: 1.01 }, ["recall_target must be above 0 and at most 1, is 1.01"]],
    ["one of NaN", { recallTarget: NaN }, ["recall_target must be above 0 and at most 1, is NaN"]],
    [
      "a bad index policy",
      { indexPolicy: { kind: 9 as IndexKind, m: 1, efConstruction: 3, lists: -1 } },
      [
        "index_policy.kind must be a known IndexKind, is 9",
        "index_policy.m must be 2 to 100, or 0 for the store to choose; is 1",
        "index_policy.ef_construction must be 2 * m (4) to 1000, or 0 for the store to choose; is 3",
        "index_policy.lists must be 1 to 32768, or 0 for the store to choose; is -1",
      ],
    ],
    [
      "an ef_construction below 2 * m",
      { indexPolicy: { m: 48, efConstruction: 64 } },
      ["index_policy.ef_construction must be 2 * m (96) to 1000, or 0 for the store to choose; is 64"],
    ],
    [
      "a policy that bits cannot have",
      { elementType: ElementType.BIT, indexPolicy: { quantization: IndexQuantization.BINARY } },
      ["index_policy.quantization is binary, but the vectors are bits already: leave it to the store"],
    ],
    [
      "DiskANN with HNSW's and IVFFlat's numbers",
      { indexPolicy: { kind: IndexKind.DISKANN, m: 16, lists: 10 } },
      [
        "index_policy.m is not diskann's: leave it 0; is 16",
        "index_policy.lists is not diskann's: leave it 0; is 10",
      ],
    ],
    [
      "DiskANN of halfvec",
      { elementType: ElementType.HALFVEC, indexPolicy: { kind: IndexKind.DISKANN } },
      ["index_policy.kind is diskann, which is for vectors of 32-bit floats; these are halfvec"],
    ],
    [
      "halves of what is too wide for them",
      { dimensions: 5000, indexPolicy: { quantization: IndexQuantization.HALFVEC } },
      [
        "index_policy.quantization would hold vectors as halfvec, which hnsw does up to 4000 dimensions, and they have 5000; " +
          "wider ones can be had as binary (64,000)",
      ],
    ],
    [
      "a name that an index has only for a while",
      { indexPolicy: { indexName: "songs_idx_old" } },
      [
        "index_policy.index_name must not end in _old, as indexes do only while one takes the place of another",
      ],
    ],
    [
      "an unknown quantization and maintenance, and fewer rows than none",
      {
        indexPolicy: {
          quantization: 9 as IndexQuantization,
          maintenance: 9 as IndexMaintenance,
          minRows: -1n,
        },
      },
      [
        "index_policy.quantization must be a known IndexQuantization, is 9",
        "index_policy.maintenance must be a known IndexMaintenance, is 9",
        "index_policy.min_rows must be 0 or more; is -1",
      ],
    ],
    ["one partition", { hashPartitions: 1 }, [`hash_partitions ${PARTITIONS_RULE}; is 1`]],
    ["fewer than none", { hashPartitions: -1 }, [`hash_partitions ${PARTITIONS_RULE}; is -1`]],
    ["too many of them", { hashPartitions: 257 }, [`hash_partitions ${PARTITIONS_RULE}; is 257`]],
    [
      "NUL in the text search configuration",
      { textSearchConfig: "a\0" },
      ["text_search_config must not contain NUL characters"],
    ],
  ])("with %s is refused", async (_, bad, problems) => {
    expect(await problemsOf(client.createCollection({ ...good, ...bad }))).toEqual(problems);
  });
});

describe("a registration", () => {
  const table = { table: "song_embeddings" };
  test.each<[string, object, string[]]>([
    ["no table", { table: undefined }, ["table.table must not be empty"]],
    ["no table's name", { table: { schema: "public" } }, ["table.table must not be empty"]],
    [
      "a table whose name cannot be a collection's",
      { table: { table: "Songs" } },
      [`name ${NAME_RULE}; is "Songs"`],
    ],
    [
      "a name that is too long for PostgreSQL",
      { name: "songs", table: { table: "é".repeat(32) } },
      ["table.table must be at most 63 bytes of UTF-8, has 64"],
    ],
    [
      "NUL in names",
      { table: { ...table, schema: "\0", keyColumn: "\0", vectorColumn: "a\0", documentColumn: "\0" } },
      ["schema", "key_column", "vector_column", "document_column"].map(
        (name) => `table.${name} must not contain NUL characters`,
      ),
    ],
    [
      "one column for two things",
      { table: { ...table, keyColumn: "id", vectorColumn: "id" } },
      ["table.vector_column must be another column than key_column"],
    ],
    [
      "a text search configuration for nothing",
      { textSearchConfig: "simple" },
      ["text_search_config has a meaning with table.document_column only"],
    ],
    ["an unknown metric", { metric: 77 }, ["metric must be a known Metric, is 77"]],
    ["a recall target of 2", { recallTarget: 2 }, ["recall_target must be above 0 and at most 1, is 2"]],
  ])("with %s is refused", async (_, bad, problems) => {
    expect(await problemsOf(client.registerCollection({ table, ...bad }))).toEqual(problems);
  });
});

describe("a registration of a new table", () => {
  const table = { table: "songs", keyColumn: "song_id", vectorColumn: "embedding" };
  test.each<[string, object, string[]]>([
    ["no dimensions", { createTable: {} }, ["create_table.dimensions must be 1 to 16000 for vector, is 0"]],
    [
      "more than there can be",
      { createTable: { dimensions: 64_001, elementType: ElementType.BIT } },
      ["create_table.dimensions must be 1 to 64000 for bit, is 64001"],
    ],
    [
      "unknown types",
      { createTable: { dimensions: 1, elementType: 9 as ElementType, keyType: 9 } },
      [
        "create_table.element_type must be a known ElementType, is 9",
        "create_table.key_type must be a known KeyType, is 9",
      ],
    ],
    [
      "columns that nobody names",
      { table: { table: "songs" } },
      ["table.key_column is required with create_table", "table.vector_column is required with create_table"],
    ],
    [
      "a column of the name that another one has",
      { table: { ...table, keyColumn: "created_at" } },
      ["table.key_column must be another name: the table has a column created_at besides"],
    ],
    [
      "documents",
      { table: { ...table, documentColumn: "lyrics" } },
      ["table.document_column must be empty with create_table: the table has no documents"],
    ],
    [
      "a metric of bits, a space of other dimensions and an index that vectors of such a length cannot have",
      {
        metric: Metric.HAMMING,
        spaceId: SPACE,
        createTable: { dimensions: 8192 },
        indexPolicy: { kind: IndexKind.IVFFLAT, quantization: IndexQuantization.NONE },
      },
      [
        "metric must be one for vector: cosine, l2, inner-product, l1; is hamming",
        "create_table.dimensions must be 384 as in space_id, is 8192",
        "index_policy.quantization would hold vectors as they are, which ivfflat does up to 2000 dimensions, and they have " +
          "8192; wider ones can be had as halfvec (4,000) or binary (64,000)",
      ],
    ],
  ])("with %s is refused", async (_, bad, problems) => {
    const good = { table, createTable: { dimensions: 384 } };
    expect(await problemsOf(client.registerCollection({ ...good, ...bad }))).toEqual(problems);
  });
});

describe("an update", () => {
  const PATHS =
    "recall_target, metric, space_id, index_policy, index_policy.kind, index_policy.m, index_policy.ef_construction, " +
    "index_policy.lists, index_policy.quantization, index_policy.maintenance, index_policy.min_rows, " +
    "index_policy.index_name";
  const update = (collection: object | undefined, ...paths: string[]) =>
    problemsOf(client.updateCollection({ ...(collection && { collection }), updateMask: { paths } }));

  test("without a collection is refused", async () => {
    expect(await update(undefined, "metric")).toEqual(["collection is required"]);
  });
  test("of nothing is refused", async () => {
    expect(await update({ name: "a", recallTarget: 0.9 })).toEqual([
      `update_mask must name what to change: ${PATHS}`,
    ]);
  });
  test("of what cannot be changed is refused", async () => {
    expect(await update({ name: "a", recallTarget: 0.9 }, "recall_target", "dimensions")).toEqual([
      `update_mask.paths[1] must be one of ${PATHS}; is "dimensions"`,
    ]);
  });
  test("to bad values is refused", async () => {
    const bad = { name: "A", recallTarget: 0, metric: 77 as Metric, spaceId: "x", indexPolicy: { m: 1 } };
    expect(await update(bad, "recall_target", "metric", "space_id", "index_policy.m")).toEqual([
      `collection.name ${NAME_RULE}; is "A"`,
      "collection.recall_target must be above 0 and at most 1, is 0",
      "collection.metric must be a known Metric, is 77",
      "collection.space_id must have the form provider:model@revision:dimensions:pooling:normalization:max_tokens",
      "collection.index_policy.m must be 2 to 100, or 0 for the store to choose; is 1",
    ]);
  });
  test("to nothing is refused where nothing cannot be", async () => {
    expect(await update({ name: "a" }, "metric", "space_id")).toEqual([
      "collection.metric is required where update_mask names it",
      "collection.space_id is required where update_mask names it",
    ]);
  });
});

test.each(["getCollection", "deleteCollection", "getCollectionStatistics"] as const)(
  "%s needs a name",
  async (method) => {
    expect(await problemsOf(client[method]({ name: "" }))).toEqual([`name ${NAME_RULE}; is ""`]);
  },
);

describe("a move into another embedding space", () => {
  test.each<[string, object, string[]]>([
    ["without a collection", { collection: "" }, [`collection ${NAME_RULE}; is ""`]],
    ["without a target", { spaceId: "" }, ["space_id is required where no model is given"]],
    ["with two targets", { model: "minilm" }, ["model cannot be given together with space_id"]],
    [
      "into what is no space",
      { spaceId: "minilm" },
      ["space_id must have the form provider:model@revision:dimensions:pooling:normalization:max_tokens"],
    ],
    [
      "with a long model",
      { spaceId: "", model: "m".repeat(201) },
      ["model must be at most 200 characters, has 201"],
    ],
    [
      "with a long request id",
      { requestId: "r".repeat(201) },
      ["request_id must be at most 200 characters, has 201"],
    ],
  ])("%s is refused", async (_, bad, problems) => {
    const good = { collection: "songs", spaceId: SPACE };
    expect(await problemsOf(client.startReembedding({ ...good, ...bad }))).toEqual(problems);
  });
});

test("the served space gives a new collection its id and dimensions", async () => {
  const created: unknown[] = [];
  const space = parseSpaceId(SPACE);
  const routes = collectionRoutes({
    ...deps,
    embedding: { servedSpace: async () => space, spaceOf: async () => space } as never,
    collections: {
      create: async (collection: unknown) => {
        created.push(collection);
        throw new KindredError("already-exists", "the name is taken");
      },
    } as never,
  });
  const served = createClient(
    CollectionService,
    createInMemoryTransport((router) => router.service(CollectionService, routes), {
      logger: silentLogger(),
    }),
  );
  const call = served.createCollection({ name: "prompts", servedSpace: true });
  await expect(call).rejects.toMatchObject({ kind: "already-exists" });
  expect(created).toMatchObject([{ name: "prompts", dimensions: 384, space: { id: SPACE } }]);
});
