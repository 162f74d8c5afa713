import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { OperationState, type Operation } from "@kindred/contracts/common/v1";
import {
  ElementType,
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  Metric,
  type IndexPolicySchema,
  type StartIndexBuildRequestSchema,
} from "@kindred/contracts/vector-store/v1";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { reconcileIndexes } from "../src/domain/indexes/reconcile-indexes.ts";
import { clusteredItems, packItems } from "./clustered-items.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { hasVector } from "./items-fixture.ts";

const DIMENSIONS = 8;
const ROWS = 400;
const NAME = "embeddings_ivfflat_idx";
const POLICY = {
  kind: IndexKind.IVFFLAT,
  quantization: IndexQuantization.NONE,
  lists: 4,
  indexName: NAME,
};

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 120_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  await fixture.clear();
  await fixture.db.query("DROP TABLE IF EXISTS vector_store.song_embeddings");
});

/** song_embeddings with rows. */
async function songs(
  indexPolicy: MessageInitShape<typeof IndexPolicySchema> = POLICY,
  dimensions = DIMENSIONS,
): Promise<void> {
  await fixture.collections.registerCollection({
    name: "songs",
    table: { table: "song_embeddings", keyColumn: "song_id", vectorColumn: "embedding" },
    createTable: { dimensions },
    indexPolicy,
  });
  const items = clusteredItems({ count: ROWS, dimensions, clusters: 4 });
  await fixture.vectors.upsert({
    collection: "songs",
    items: { keys: items.map((_, i) => String(i)), vectors: packItems(items, false) },
  });
}

async function ended(operation: Operation | undefined): Promise<Operation> {
  let last = operation;
  for await (const reply of fixture.operations.watchOperation({ id: operation?.id as bigint }))
    last = reply.operation;
  return last as Operation;
}

async function built(
  spec?: NonNullable<MessageInitShape<typeof StartIndexBuildRequestSchema>["spec"]>,
  rest: object = {},
): Promise<Operation> {
  // Tuning is given a second here: what it could not measure in time is no miss.
  const request = { collection: "songs", ...(spec && { spec }), keepOnMiss: true, ...rest };
  const { operation } = await fixture.index.startIndexBuild(request);
  const last = await ended(operation);
  expect([last.state, last.failure]).toEqual([OperationState.SUCCEEDED, undefined]);
  return last;
}

const oids = async (): Promise<Record<string, number>> => {
  const { rows } = await fixture.db.query<{ name: string; oid: number }>(
    `SELECT c.relname AS name, c.oid::int8::float8 AS oid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      WHERE i.indrelid = 'song_embeddings'::regclass AND NOT i.indisprimary ORDER BY 1`,
  );
  return Object.fromEntries(rows.map(({ name, oid }) => [name, oid]));
};

describe("the name that the policy wants", () => {
  test("is the index's, after building it again too", async () => {
    if (!hasVector(fixture)) return;
    await songs();
    const collection = (await fixture.collections.getCollection({ name: "songs" })).collection;
    expect(collection?.indexPolicy?.indexName).toBe(NAME);
    await built();
    const first = await oids();
    expect(Object.keys(first)).toEqual([NAME]);

    await built({ lists: 6 });
    const second = await oids();
    expect(Object.keys(second)).toEqual([NAME]);
    expect(second[NAME]).not.toBe(first[NAME]);
    const { indexes } = await fixture.index.listIndexes({ collection: "songs" });
    expect(indexes.map(({ name, parameters }) => [name, parameters["lists"]])).toEqual([[NAME, "6"]]);

    const rebuilt = await fixture.index.startIndexRebuild({ collection: "songs" });
    expect((await ended(rebuilt.operation)).state).toBe(OperationState.SUCCEEDED);
    expect(Object.keys(await oids())).toEqual([NAME]);
    // What was built again is still the store's to replace.
    await built();
    expect(Object.keys(await oids())).toEqual([NAME]);
    const { plan } = await fixture.collections.getCollectionStatistics({ name: "songs" });
    expect(plan).toBe("ivfflat");
  });

  test("takes the place of one by the store's rule", async () => {
    if (!hasVector(fixture)) return;
    await songs({ ...POLICY, indexName: "" });
    await built();
    expect(Object.keys(await oids())).toEqual(["song_embeddings_embedding_ivfflat_idx"]);
    await fixture.collections.updateCollection({
      collection: { name: "songs", indexPolicy: { indexName: NAME } },
      updateMask: { paths: ["index_policy.index_name"] },
    });
    await built();
    expect(Object.keys(await oids())).toEqual([NAME]);
  });

  test.each([
    [2000, IndexQuantization.NONE, "vector_cosine_ops"],
    [8192, IndexQuantization.BINARY, "bit_hamming_ops"],
  ])(
    "is that of an index of %i dimensions, which finds what is there",
    async (dimensions, quantization, operatorClass) => {
      if (!hasVector(fixture)) return;
      await songs({ kind: IndexKind.IVFFLAT, indexName: NAME, quantization }, dimensions);
      await built();
      const { indexes } = await fixture.index.listIndexes({ collection: "songs" });
      expect(indexes).toMatchObject([{ name: NAME, method: "ivfflat", operatorClass }]);
      const [item] = (
        await fixture.vectors.getItems({ collection: "songs", keys: ["123"], projection: { vector: true } })
      ).items;
      const data = item?.vector ?? new Uint8Array();
      const { hits, plan } = await fixture.search.search({
        collection: "songs",
        k: 1,
        probes: 1,
        query: { case: "vector", value: { data } },
      });
      expect(hits.map(({ key }) => key)).toEqual(["123"]);
      expect(plan?.indexName).toBe(NAME);
    },
  );

  test("is not that of an index for other searches, or of another kind", async () => {
    if (!hasVector(fixture)) return;
    await songs();
    await built();
    await built({ metric: Metric.L2 });
    await built({ kind: IndexKind.HNSW }, { keepOthers: true });
    expect(Object.keys(await oids())).toEqual([
      NAME,
      "song_embeddings_embedding_hnsw_halfvec_idx",
      "song_embeddings_embedding_ivfflat_l2_idx",
    ]);
  });
});

describe("a name that is asked for", () => {
  test("goes before the policy's", async () => {
    if (!hasVector(fixture)) return;
    await songs();
    const { result } = await built({ indexName: 'My "index"' });
    expect(result).toMatchObject({ index_name: 'My "index"' });
    expect(Object.keys(await oids())).toEqual(['My "index"']);
    await built();
    expect(Object.keys(await oids())).toEqual([NAME]);
  });

  test("can be as long as there is room for", async () => {
    if (!hasVector(fixture)) return;
    await songs();
    const name = `${"é".repeat(29)}x`;
    await built({ indexName: name });
    expect(Object.keys(await oids())).toEqual([name]);
  });

  test("serves a partitioned collection", async () => {
    if (!hasVector(fixture)) return;
    await fixture.collections.createCollection({
      name: "spread",
      dimensions: DIMENSIONS,
      elementType: ElementType.VECTOR,
      hashPartitions: 2,
      indexPolicy: { maintenance: IndexMaintenance.MANUAL },
    });
    const items = clusteredItems({ count: ROWS, dimensions: DIMENSIONS, clusters: 4 });
    const batch = { keys: items.map(({ key }) => key), vectors: packItems(items, false) };
    await fixture.vectors.upsert({ collection: "spread", items: batch });
    await built({ kind: IndexKind.IVFFLAT, indexName: "spread_idx" }, { collection: "spread" });
    await built({ kind: IndexKind.IVFFLAT, lists: 2, indexName: "spread_idx" }, { collection: "spread" });
    const { rows } = await fixture.db.query(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_am m ON m.oid = c.relam WHERE m.amname = 'ivfflat' ORDER BY 1`,
    );
    expect(rows).toEqual(["spread_idx", "spread_idx_p1", "spread_idx_p2"].map((name) => ({ name })));
  });

  test.each<[string, string, string]>([
    [
      "an index that the store has not built",
      `CREATE INDEX ${NAME} ON song_embeddings USING hnsw (embedding vector_l2_ops)`,
      "kindred index drop songs",
    ],
    ["a table", `CREATE TABLE vector_store.${NAME} (id INTEGER)`, "something else in its schema"],
    [
      "what it would be called on the way",
      `CREATE TABLE vector_store.${NAME}_new (id INTEGER)`,
      "is called for a while",
    ],
    [
      "what would be retired",
      `CREATE INDEX ${NAME}_old ON song_embeddings USING hnsw (embedding vector_l2_ops)`,
      "is called for a while",
    ],
  ])("is refused where it is that of %s, and nothing is begun", async (_, sql, message) => {
    if (!hasVector(fixture)) return;
    await songs();
    await fixture.db.query(sql);
    const began = async (): Promise<number> =>
      (await fixture.operations.listOperations({ collection: "songs" })).operations.length;
    const before = await began();
    try {
      for (const spec of [{}, { indexName: NAME }]) {
        const error = await errorOf(fixture.index.startIndexBuild({ collection: "songs", spec }));
        expect(error.kind).toBe("already-exists");
        expect(error.message).toContain(message);
      }
      expect(await began()).toBe(before);
    } finally {
      await fixture.db
        .query(`DROP TABLE IF EXISTS vector_store.${NAME}, vector_store.${NAME}_new`)
        .catch(() => {});
    }
  });

  test("is removed where it is what an interrupted build has left", async () => {
    if (!hasVector(fixture)) return;
    await songs();
    await built();
    // As a killed build leaves it.
    await fixture.db.query(
      `CREATE INDEX "${NAME}_new" ON song_embeddings USING ivfflat (embedding vector_cosine_ops) WITH (lists = 3)`,
    );
    await fixture.db.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass", [
      `${NAME}_new`,
    ]);
    const { collections, indexes } = fixture.store as never as Parameters<typeof reconcileIndexes>[0];
    const gone = await reconcileIndexes({ collections, indexes, log: { debug: () => {} } });
    expect(gone).toEqual([`${NAME}_new`]);
    expect(Object.keys(await oids())).toEqual([NAME]);
  });
});

test.each<[string, string]>([
  ["a".repeat(60), "must be at most 59 bytes of UTF-8, has 60"],
  ["é".repeat(30), "must be at most 59 bytes of UTF-8, has 60"],
  ["a\0", "must not contain NUL characters"],
  ["songs_idx_new", "must not end in _new, as indexes do only while one takes the place of another"],
  ["songs_idx_ccold1", "must not end in _ccold1, as indexes do only while one takes the place of another"],
])("the name %j is refused", async (indexName, description) => {
  const field = (path: string) => ({ kind: "invalid-argument", violations: [{ field: path, description }] });
  const { collections, index } = fixture;
  const spec = { indexName };
  expect(await errorOf(index.startIndexBuild({ collection: "songs", spec }))).toMatchObject(
    field("spec.index_name"),
  );
  expect(await errorOf(index.planIndex({ collection: "songs", spec }))).toMatchObject(
    field("spec.index_name"),
  );
  const policy = { name: "songs", indexPolicy: { indexName } };
  expect(await errorOf(collections.createCollection({ ...policy, dimensions: 2 }))).toMatchObject(
    field("index_policy.index_name"),
  );
  expect(
    await errorOf(
      collections.updateCollection({
        collection: policy,
        updateMask: { paths: ["index_policy.index_name"] },
      }),
    ),
  ).toMatchObject(field("collection.index_policy.index_name"));
});
