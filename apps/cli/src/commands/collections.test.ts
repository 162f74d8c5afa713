import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { OperationKind } from "@kindred/contracts/common/v1";
import {
  ElementType,
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  KeyType,
  Metric,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { COLLECTION, fakeVectorStore, type FakeVectorStore } from "../../test/fake-vector-store.ts";
import { BUILD, BUILT } from "../../test/operations-fixture.ts";
import { runInProcess } from "../../test/run-in-process.ts";

let cleanup: AsyncDisposableStack;
beforeEach(() => void (cleanup = new AsyncDisposableStack()));
afterEach(() => cleanup.disposeAsync());

async function service(...args: Parameters<typeof fakeVectorStore>): Promise<FakeVectorStore> {
  return cleanup.use(await fakeVectorStore(...args));
}

/** `kindred collections` against the service. */
const collections = (at: Pick<FakeVectorStore, "url">, ...args: string[]) =>
  runInProcess(["collections", "--url", at.url, ...args], { KINDRED_HOME: "/nonexistent" });

describe("list", () => {
  test("for people, with rows and sizes", async () => {
    const { code, out } = await collections(await service(), "list");
    expect(code).toBe(0);
    expect(out.split("\n").slice(0, 2)).toEqual([
      " name   kind       rows     size  vectors    metric  searches  space",
      " songs  managed  ~1,200  1.5 MiB  vector(3)  cosine  hnsw",
    ]);
  });

  test("one that cannot be measured is listed all the same", async () => {
    const at = await service({
      getCollectionStatistics: () => {
        throw new KindredError("failed-precondition", "its table is gone");
      },
    });
    expect((await collections(at, "list")).out).toMatch(
      /^ songs +managed +\? +\? +vector\(3\) +cosine +\?$/m,
    );
  });

  test("a store that is away is an error", async () => {
    const at = await service({
      getCollectionStatistics: () => {
        throw new KindredError("unavailable", "away");
      },
    });
    expect((await collections(at, "list")).code).toBe(69);
  });

  test("for programs", async () => {
    const { out } = await collections(await service(), "list", "--json");
    expect(JSON.parse(out)).toMatchObject({
      collections: [{ name: "songs", element_type: "ELEMENT_TYPE_VECTOR" }],
    });
  });
});

test("show: shape, policy, figures and indexes", async () => {
  const { out } = await collections(await service(), "show", "songs");
  for (const line of [
    /^ vectors +vector\(3\)$/m,
    /^ space +none yet$/m,
    /^ recall target +0\.95$/m,
    /^ index policy +auto$/m,
    /^ text search +english$/m,
    /^ table +vector_store\.collection_1_vectors \(key key, vector embedding\)$/m,
    /^ rows +~1,200$/m,
    /^ indexed rows +600 \(50 %\)$/m,
    /^ dead rows +7$/m,
    /^ size +table 1\.0 MiB, indexes 512\.0 KiB$/m,
    /^ searches +hnsw: scan the HNSW index$/m,
    /^ analyzed +never$/m,
    /^ songs_hnsw +hnsw +vector_cosine_ops +m=16 +valid +512\.0 KiB +- +- +-$/m,
  ]) {
    expect(out).toMatch(line);
  }
  const plain = await collections(await service(), "show", "songs", "--json");
  expect(JSON.parse(plain.out)).toMatchObject({ name: "songs", statistics: { rows: 1_200, plan: "hnsw" } });
});

test("stats, exactly where that is asked for", async () => {
  const at = await service();
  await collections(at, "stats", "songs");
  expect((await collections(at, "stats", "songs", "--exact")).out).toContain("songs_hnsw");
  expect(at.asked("getCollectionStatistics")).toMatchObject([{ exact: false }, { exact: true }]);
});

describe("create", () => {
  test("with everything", async () => {
    const at = await service();
    const args = [
      "--dimensions",
      "768",
      "--type",
      "halfvec",
      "--metric",
      "inner-product",
      "--space",
      "s",
      "--recall",
      "0.9",
    ];
    const index = ["--index", "hnsw", "--m", "32", "--ef-construction", "128", "--text-search", "none"];
    const upkeep = ["--quantization", "halfvec", "--maintenance", "automatic", "--min-rows", "50000"];
    const large = ["--hash-partitions", "16"];
    expect((await collections(at, "create", "photos", ...args, ...index, ...upkeep, ...large)).code).toBe(0);
    expect(at.asked("createCollection")).toMatchObject([
      {
        name: "photos",
        dimensions: 768,
        elementType: ElementType.HALFVEC,
        metric: Metric.INNER_PRODUCT,
        spaceId: "s",
        recallTarget: 0.9,
        indexPolicy: {
          kind: IndexKind.HNSW,
          m: 32,
          efConstruction: 128,
          lists: 0,
          quantization: IndexQuantization.HALFVEC,
          maintenance: IndexMaintenance.AUTOMATIC,
          minRows: 50_000n,
        },
        hashPartitions: 16,
        textSearchConfig: "",
      },
    ]);
  });

  test("with what was not given left to the store", async () => {
    const at = await service();
    await collections(at, "create", "songs", "-d", "3");
    const [request] = at.asked("createCollection");
    expect(request).toMatchObject({
      dimensions: 3,
      metric: Metric.UNSPECIFIED,
      elementType: ElementType.UNSPECIFIED,
    });
    for (const name of ["recallTarget", "indexPolicy", "textSearchConfig"])
      expect(request?.[name]).toBeUndefined();
  });

  test("without dimensions or space is a usage error", async () => {
    const { code, err } = await collections(await service(), "create", "songs");
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining("--dimensions 384") });
  });

  test("of a name that is taken", async () => {
    const at = await service({
      createCollection: () => {
        throw new KindredError("already-exists", 'the name "songs" is taken');
      },
    });
    expect(await collections(at, "create", "songs", "-d", "3")).toMatchObject({
      code: 1,
      err: expect.stringContaining('the name "songs" is taken'),
    });
  });
});

test("register a table", async () => {
  const at = await service();
  const args = ["--name", "docs", "--schema", "app", "--key", "id", "--vector", "v", "--document", "body"];
  await collections(at, "register", "documents", ...args, "--metric", "l2", "--text-search", "simple");
  expect(at.asked("registerCollection")).toMatchObject([
    {
      name: "docs",
      table: {
        schema: "app",
        table: "documents",
        keyColumn: "id",
        vectorColumn: "v",
        documentColumn: "body",
      },
      metric: Metric.L2,
      textSearchConfig: "simple",
    },
  ]);
});

describe("register a table that is made where there is none", () => {
  test("as it is asked for", async () => {
    const at = await service();
    const table = [
      "--create",
      "--dimensions",
      "2000",
      "--key",
      "song_id",
      "--key-type",
      "bigint",
      "--type",
      "halfvec",
    ];
    const index = ["--index", "ivfflat", "--index-name", "embeddings_ivfflat_idx"];
    await collections(at, "register", "song_embeddings", "--name", "songs", ...table, ...index);
    await collections(at, "register", "notes", "--create", "-d", "3");
    expect(at.asked("registerCollection")).toMatchObject([
      {
        name: "songs",
        table: { table: "song_embeddings", keyColumn: "song_id", vectorColumn: "embedding" },
        createTable: { dimensions: 2000, elementType: ElementType.HALFVEC, keyType: KeyType.BIGINT },
        indexPolicy: { kind: IndexKind.IVFFLAT, indexName: "embeddings_ivfflat_idx" },
      },
      {
        table: { table: "notes", keyColumn: "id", vectorColumn: "embedding" },
        createTable: { dimensions: 3, elementType: ElementType.UNSPECIFIED, keyType: KeyType.UNSPECIFIED },
      },
    ]);
  });

  test.each([
    ["without dimensions", ["--create"], "--dimensions"],
    [
      "with dimensions and without --create",
      ["--dimensions", "3"],
      "--dimensions is of a table that is made",
    ],
    [
      "with a type of keys and without --create",
      ["--key-type", "uuid"],
      "--key-type is of a table that is made",
    ],
  ])("%s is a usage error", async (_, args, message) => {
    const at = await service();
    const { code, err } = await collections(at, "register", "songs", ...args);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) });
    expect(at.asked("registerCollection")).toEqual([]);
  });
});

describe("update", () => {
  test("what was named and nothing else", async () => {
    const at = await service();
    await collections(at, "update", "songs", "--recall", "0.98", "--lists", "500");
    await collections(at, "update", "songs", "--index", "none", "--metric", "l1", "--space", "s");
    expect(at.asked("updateCollection")).toMatchObject([
      {
        collection: { name: "songs", recallTarget: 0.98, indexPolicy: { lists: 500 } },
        updateMask: { paths: ["recall_target", "index_policy.lists"] },
      },
      {
        collection: { metric: Metric.L1, spaceId: "s", indexPolicy: { kind: IndexKind.NONE } },
        updateMask: { paths: ["metric", "space_id", "index_policy.kind"] },
      },
    ]);
  });

  test("nothing is a usage error", async () => {
    expect((await collections(await service(), "update", "songs")).code).toBe(2);
  });
});

describe("delete", () => {
  test("has to be agreed to", async () => {
    const at = await service();
    expect(await collections(at, "delete", "songs")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/Delete the collection songs with all its vectors\? There is no terminal/),
    });
    expect(at.asked("deleteCollection")).toEqual([]);
    expect(await collections(at, "delete", "songs", "--yes")).toEqual({
      code: 0,
      out: " deleted songs, and 12 vectors with it\n",
      err: "",
    });
  });
});

describe("reembed", () => {
  test("waits until the collection has moved", async () => {
    const moving = { ...BUILD, kind: OperationKind.REEMBEDDING };
    const at = await service({
      startReembedding: () => ({ operation: moving }),
      async *watchOperation() {
        yield { operation: moving };
        yield { operation: { ...BUILT, kind: OperationKind.REEMBEDDING, result: { items: 12 } } };
      },
    });
    const { code, out, err } = await collections(at, "reembed", "songs", "--model", "small");
    expect({ code, out }).toEqual({ code: 0, out: " items  12\n" });
    expect(err).toContain("✔ re-embed  re-embedding 17 of songs");
    expect(at.asked("startReembedding")).toMatchObject([
      { collection: "songs", model: "small", spaceId: "" },
    ]);
  });

  test.each([[[]], [["--model", "a", "--space", "b"]]])("%j is a usage error", async (args) => {
    expect(await collections(await service(), "reembed", "songs", ...args)).toMatchObject({
      code: 2,
      err: expect.stringContaining("--model or --space"),
    });
  });
});

test("show: partitions, maintenance, and where it is moving", async () => {
  const at = await service(
    {},
    {
      ...COLLECTION,
      hashPartitions: 16,
      reembeddingSpaceId: "local:new@1:3:mean:l2:8",
      indexPolicy: { maintenance: IndexMaintenance.MANUAL, quantization: IndexQuantization.HALFVEC },
    },
  );
  const { out } = await collections(at, "show", "songs");
  expect(out).toMatch(/^ index policy +auto halfvec$/m);
  expect(out).toMatch(/^ maintenance +manual: the store only advises \(kindred index advise\)$/m);
  expect(out).toMatch(/^ partitions +16, by a hash of the key$/m);
  expect(out).toMatch(/^ moving into +local:new@1:3:mean:l2:8$/m);
});
