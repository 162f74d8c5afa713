import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import {
  CollectionKind,
  CollectionSchema,
  CollectionService,
  ElementType,
  IndexKind,
  IndexQuantization,
  KeyType,
  Metric,
  type Collection,
  type RegisterCollectionRequest,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { expect, test } from "@jest/globals";
import { setupSongs, type SongsTarget } from "./setup-songs.ts";

const TARGET: SongsTarget = {
  collection: "songs",
  table: "song_embeddings",
  index: "embeddings_ivfflat_idx",
  lists: 0,
  spaceId: "fireworks:qwen@1:2000:provider:l2:32768",
  dimensions: 2_000,
  keyType: "integer",
};

/** A store that registers one collection, as it was asked to. */
function storeOf(hooks: { beforeRegistering?: () => void } = {}) {
  const asked: RegisterCollectionRequest[] = [];
  const state = { collection: undefined as Collection | undefined };
  const transport = createInMemoryTransport((router) => {
    router.service(CollectionService, {
      getCollection: ({ name }) => {
        if (state.collection?.name === name) return { collection: state.collection };
        throw new KindredError("not-found", `there is no collection ${name}`);
      },
      registerCollection: (request) => {
        asked.push(request);
        hooks.beforeRegistering?.();
        if (state.collection) throw new KindredError("already-exists", "the name is taken");
        state.collection = registered(request);
        return { collection: state.collection };
      },
    });
  });
  return { asked, state, client: createClient(CollectionService, transport) };
}

function registered({
  name,
  metric,
  spaceId,
  indexPolicy,
  table,
  createTable,
}: RegisterCollectionRequest): Collection {
  return create(CollectionSchema, {
    name,
    kind: CollectionKind.REGISTERED,
    dimensions: createTable?.dimensions ?? 0,
    elementType: ElementType.VECTOR,
    metric,
    spaceId,
    ...(indexPolicy && { indexPolicy }),
    ...(table && { table: { ...table, schema: table.schema || "vector_store" } }),
  });
}

test("makes it once, as existing SQL knows it", async () => {
  const store = storeOf();
  expect(await setupSongs(store.client, TARGET)).toMatchObject({ created: true });
  expect(store.asked).toMatchObject([
    {
      name: "songs",
      table: { schema: "", table: "song_embeddings", keyColumn: "song_id", vectorColumn: "embedding" },
      metric: Metric.COSINE,
      spaceId: TARGET.spaceId,
      indexPolicy: {
        kind: IndexKind.IVFFLAT,
        quantization: IndexQuantization.NONE,
        indexName: "embeddings_ivfflat_idx",
        lists: 0,
      },
      createTable: { dimensions: 2_000, keyType: KeyType.INTEGER },
    },
  ]);
  expect(await setupSongs(store.client, TARGET)).toMatchObject({ created: false });
  expect(store.asked).toHaveLength(1);
});

test("beyond what pgvector indexes whole, the store chooses what the index holds", async () => {
  const store = storeOf();
  await setupSongs(store.client, { ...TARGET, dimensions: 8_192, table: "music.vectors", keyType: "bigint" });
  expect(store.asked).toMatchObject([
    {
      table: { schema: "music", table: "vectors" },
      indexPolicy: { quantization: IndexQuantization.UNSPECIFIED },
      createTable: { dimensions: 8_192, keyType: KeyType.BIGINT },
    },
  ]);
});

test("somebody else who was faster is as good, if he made the same", async () => {
  const store = storeOf({ beforeRegistering: () => (store.state.collection ??= other) });
  const [first] = [storeOf()];
  await setupSongs(first.client, TARGET);
  const other = first.state.collection as Collection;
  expect(await setupSongs(store.client, TARGET)).toMatchObject({
    created: false,
    collection: { name: "songs" },
  });
});

test.each<[Partial<SongsTarget>, string]>([
  [{ dimensions: 384 }, "dimensions is 2000, not 384"],
  [{ spaceId: "local:other" }, `embedding space is ${TARGET.spaceId}, not local:other`],
  [{ table: "others" }, "table is song_embeddings, not others"],
  [{ table: "music.song_embeddings" }, "schema is vector_store, not music"],
  [{ index: "my_idx" }, "index name is embeddings_ivfflat_idx, not my_idx"],
  [{ lists: 3_525 }, "lists is 0, not 3525"],
])("another one is refused with %j", async (change, said) => {
  const store = storeOf();
  await setupSongs(store.client, TARGET);
  await expect(setupSongs(store.client, { ...TARGET, ...change })).rejects.toMatchObject({
    kind: "failed-precondition",
    message: `the collection songs is there and is another one: ${said}`,
  });
});
