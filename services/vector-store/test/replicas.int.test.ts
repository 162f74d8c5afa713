import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Client } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { CollectionService, SearchService, VectorService } from "@kindred/contracts/vector-store/v1";
import { openChannel } from "@kindred/rpc";
import { silentLogger, testDatabase } from "@kindred/testing";
import { createApp } from "../src/app.ts";
import { configSchema } from "../src/config.ts";
import { fakeEmbedding } from "./fake-embedding.ts";
import { errorOf } from "./fixture.ts";
import { batchFrom, keysFrom, pack, vectorOf } from "./items-fixture.ts";

// Several replicas of the service side by side, on one database. Operations and builds have tests of their own.

interface Replica {
  collections: Client<typeof CollectionService>;
  vectors: Client<typeof VectorService>;
  searches: Client<typeof SearchService>;
}

const REPLICAS = 3;
/** What one has changed, the others see within a second; a busy machine is slow. */
const SEEN_WITHIN_MS = 10_000;

const closing = new AsyncDisposableStack();
let replicas: Replica[] = [];
const at = (i: number): Replica => replicas[i % REPLICAS] as Replica;

beforeAll(async () => {
  const { url } = closing.use(await testDatabase());
  const start = async (): Promise<Replica> => {
    const config = loadConfig(configSchema, {
      DATABASE_URL: url,
      GRPC_PORT: "0",
      HTTP_PORT: "0",
      METRICS_ADDRESS: "127.0.0.1:1",
      EMBEDDING_ADDRESS: "127.0.0.1:1",
      DB_POOL_TIMEOUT: "60s",
    });
    const app = closing.use(await createApp(config, { logger: silentLogger(), embedding: fakeEmbedding() }));
    const { transport } = closing.use(openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` }));
    return {
      collections: createClient(CollectionService, transport),
      vectors: createClient(VectorService, transport),
      searches: createClient(SearchService, transport),
    };
  };
  // All of them find an empty database, and migrate it.
  replicas = await Promise.all(Array.from({ length: REPLICAS }, start));
}, 120_000);
afterAll(async () => {
  await closing.disposeAsync();
}, 60_000);
afterEach(async () => {
  const { collections } = await at(0).collections.listCollections({});
  for (const { name } of collections)
    if (name !== "images") await at(0).collections.deleteCollection({ name });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SEEN_WITHIN_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error("the other replicas have not noticed");
    await sleep(50);
  }
}

/** What each replica's call came to. */
const outcomes = async <T>(call: (replica: Replica, i: number) => Promise<T>): Promise<(T | string)[]> =>
  await Promise.all(
    replicas.map((replica, i) =>
      call(replica, i).catch(async (error: unknown) => (await errorOf(Promise.reject(error))).kind),
    ),
  );

test("all of them have migrated the database together", async () => {
  for (const { collections } of replicas)
    expect((await collections.listCollections({})).collections.map(({ name }) => name)).toEqual(["images"]);
});

test("of those who create a collection at once one does", async () => {
  for (let round = 0; round < 5; round++) {
    const name = `things_${round}`;
    const made = await outcomes(async ({ collections }) => {
      await collections.createCollection({ name, dimensions: 4 });
      return "made";
    });
    expect(made.toSorted()).toEqual(["already-exists", "already-exists", "made"]);
  }
});

test("what is changed through one is seen through the others", async () => {
  const [one, other] = [at(0), at(1)];
  await one.collections.createCollection({ name: "things", dimensions: 4 });
  // Now the other one remembers it.
  await other.vectors.upsert({ collection: "things", items: batchFrom(0, 10) });
  await one.collections.updateCollection({
    collection: { name: "things", recallTarget: 0.5 },
    updateMask: { paths: ["recall_target"] },
  });
  await until(
    async () => (await other.collections.getCollection({ name: "things" })).collection?.recallTarget === 0.5,
  );
  await one.collections.deleteCollection({ name: "things" });
  expect(await errorOf(other.vectors.upsert({ collection: "things", items: batchFrom(0, 1) }))).toMatchObject(
    {
      kind: "not-found",
    },
  );
  // Under the same name, and of another length.
  await one.collections.createCollection({ name: "things", dimensions: 8 });
  await until(
    async () => (await other.collections.getCollection({ name: "things" })).collection?.dimensions === 8,
  );
  await other.vectors.upsert({ collection: "things", items: batchFrom(0, 10, 8) });
});

test("the same items that all of them write are there once, and each was new to one of them", async () => {
  await at(0).collections.createCollection({ name: "shared", dimensions: 4 });
  let inserted = 0n;
  let replaced = 0n;
  for (let round = 0; round < 4; round++) {
    const stored = await Promise.all(
      replicas.map(({ vectors }, i) =>
        vectors.upsert({ collection: "shared", items: batchFrom(round * 50, 100, 4, i) }),
      ),
    );
    for (const counts of stored) {
      inserted += counts.inserted;
      replaced += counts.replaced;
    }
  }
  expect(inserted).toBe(250n);
  expect(replaced).toBe(BigInt(4 * REPLICAS * 100) - 250n);
  const seen = await Promise.all(
    replicas.map(async ({ vectors }) => {
      const answers = await Array.fromAsync(vectors.export({ collection: "shared" }));
      return answers.flatMap(({ items }) => items?.keys ?? []);
    }),
  );
  for (const keys of seen) expect(keys).toEqual(keysFrom(0, 250));
});

test("of those whose first vectors are of different spaces one pins the collection's", async () => {
  const space = (model: string): string => `local:${model}@1:4:mean:l2:256`;
  for (let round = 0; round < 5; round++) {
    const name = `things_${round}`;
    await at(round).collections.createCollection({ name, dimensions: 4 });
    const stored = await outcomes(async ({ vectors }, i) => {
      const items = { keys: [`key-${i}`], vectors: pack(vectorOf(i)) };
      await vectors.upsert({ collection: name, items, spaceId: space(`m${i}`) });
      return "stored";
    });
    const winner = stored.indexOf("stored");
    expect(stored.toSorted()).toEqual(["failed-precondition", "failed-precondition", "stored"]);
    for (const { collections } of replicas) {
      await until(
        async () => (await collections.getCollection({ name })).collection?.spaceId === space(`m${winner}`),
      );
    }
  }
});

test("while all of them write and search, one deletes: nothing but not-found is answered, and nothing is left", async () => {
  const kinds = new Set<string>();
  for (let round = 0; round < 3; round++) {
    await at(round).collections.createCollection({ name: "things", dimensions: 4 });
    await at(round).vectors.upsert({ collection: "things", items: batchFrom(0, 200) });
    const over = new AbortController();
    const working = replicas.flatMap(({ vectors, searches }, i) => {
      const forever = async (call: (n: number) => Promise<unknown>): Promise<void> => {
        for (let n = 0; !over.signal.aborted; n++)
          await call(n).catch(async (error: unknown) =>
            kinds.add((await errorOf(Promise.reject(error))).kind),
          );
      };
      return [
        forever((n) => vectors.upsert({ collection: "things", items: batchFrom(n * 7 + i, 20) })),
        forever((n) =>
          searches.search({
            collection: "things",
            query: { case: "vector", value: { data: pack(vectorOf(n)) } },
            k: 5,
          }),
        ),
      ];
    });
    await sleep(300);
    await at(round + 1).collections.deleteCollection({ name: "things" });
    await sleep(100);
    over.abort();
    await Promise.all(working);
    expect(await errorOf(at(round + 2).collections.getCollection({ name: "things" }))).toMatchObject({
      kind: "not-found",
    });
  }
  expect([...kinds]).toEqual(["not-found"]);
}, 60_000);
