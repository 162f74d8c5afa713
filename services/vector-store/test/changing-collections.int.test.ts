import { afterEach, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { SearchMethod } from "@kindred/contracts/vector-store/v1";
import { isKindredError } from "@kindred/errors";
import { databaseSettings, ensureVector, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger } from "@kindred/testing";
import { DATABASE_SCHEMA } from "../src/adapters/postgres/migrations.ts";
import { upgradeVectors } from "../src/adapters/postgres/upgrade-vectors.ts";
import { openFixture, type Fixture } from "./fixture.ts";
import { batchFrom, createCollection, keysFrom, pack, vectorOf } from "./items-fixture.ts";

// Collections that others change while this process serves them.

let fixture: Fixture;
afterEach(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

const openOther = (): Promise<Database> =>
  openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: fixture.url }),
    schema: DATABASE_SCHEMA,
    applicationName: "vector-store-other",
    logger: silentLogger(),
  });

function skipped(what: string): boolean {
  if (fixture.db.capabilities.concurrentSessions) return false;
  process.stderr.write(`not run: ${what} (this server has one session for everybody)\n`);
  return true;
}

/** As a caller should: what was aborted is tried again. Anything else that fails is a fault. */
async function persistently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!isKindredError(error) || error.kind !== "aborted" || attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? 0));
    }
  }
}

const search = () =>
  fixture.search.search({
    collection: "things",
    query: { case: "vector", value: { data: pack(vectorOf(3)) } },
    k: 5,
  });

test("pgvector that appears while the service runs is noticed", async () => {
  fixture = await openFixture({ pgvector: false });
  await createCollection(fixture);
  await fixture.vectors.upsert({ collection: "things", items: batchFrom(0, 20) });
  const before = await search();
  expect(before.plan?.method).toBe(SearchMethod.IN_PROCESS);
  await using other = await openOther();
  await ensureVector(other);
  expect(fixture.db.capabilities.vector).toBeUndefined();
  await createCollection(fixture, { name: "later" });
  expect((await fixture.collections.getCollection({ name: "later" })).collection?.storedAsJson).toBe(false);

  await upgradeVectors(other, () => {});
  const after = await persistently(async () => {
    fixture.store.collections.forget();
    return await search();
  });
  expect(after.plan?.method).toBe(SearchMethod.EXACT);
  expect(after.hits.map(({ key }) => key)).toEqual(before.hits.map(({ key }) => key));
}, 60_000);

test("a service that never knew pgvector reads vectors that another process has upgraded", async () => {
  fixture = await openFixture({ pgvector: false });
  await createCollection(fixture);
  await fixture.vectors.upsert({ collection: "things", items: batchFrom(0, 20) });
  await using other = await openOther();
  await ensureVector(other);
  await upgradeVectors(other, () => {});
  fixture.store.forgetState();
  expect((await search()).plan?.method).toBe(SearchMethod.EXACT);
  expect(fixture.db.capabilities.vector).toBeDefined();
}, 60_000);

test("items that are written and read while upgrade-vectors replaces their column", async () => {
  fixture = await openFixture({ pgvector: false });
  if (skipped("writers beside the upgrade")) return;
  await createCollection(fixture);
  await fixture.vectors.upsert({ collection: "things", items: batchFrom(0, 2000) });
  await using other = await openOther();
  await ensureVector(other);
  const stop = new AbortController();
  let written = 2000;
  let onWritten: () => unknown = () => {};
  const writes = async (): Promise<void> => {
    // Few by parameters, and many by COPY.
    for (let i = 0; !stop.signal.aborted; i++) {
      const count = i % 3 === 0 ? 300 : 5;
      await persistently(() =>
        fixture.vectors.upsert({ collection: "things", items: batchFrom(written, count) }),
      );
      written += count;
      onWritten();
    }
  };
  const reads = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      expect((await persistently(search)).hits).toHaveLength(5);
      const keys = keysFrom(0, 3);
      const { items } = await persistently(() =>
        fixture.vectors.getItems({ collection: "things", keys, projection: { vector: true } }),
      );
      expect(items.map(({ vector }) => Buffer.from(vector))).toEqual(
        keys.map((_, i) => Buffer.from(pack(vectorOf(i)))),
      );
    }
  };
  const others = [writes(), reads(), reads()];
  try {
    const report = await upgradeVectors(other, () => {});
    expect(report.refused).toEqual([]);
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const most = written + 600;
    onWritten = () => written >= most && resolve();
    await Promise.race([...others, enough]);
  } finally {
    stop.abort();
    await Promise.all(others);
  }
  const replies = await Array.fromAsync(
    fixture.vectors.export({ collection: "things", projection: { vector: true } }),
  );
  expect(replies.flatMap(({ items }) => items?.keys ?? [])).toEqual(keysFrom(0, written));
  expect(Buffer.concat(replies.map(({ items }) => items?.vectors ?? Buffer.of()))).toEqual(
    Buffer.from(pack(...keysFrom(0, written).map((_, i) => vectorOf(i)))),
  );
}, 60_000);

test("a collection that is deleted while it is written to and searched is not found, and nothing of it is left", async () => {
  fixture = await openFixture();
  if (skipped("writers beside a deletion")) return;
  for (let round = 0; round < 5; round++) {
    await createCollection(fixture);
    const ends = (call: () => Promise<unknown>) => async (): Promise<string> => {
      for (;;) {
        try {
          await persistently(call);
        } catch (error) {
          if (!isKindredError(error)) throw error;
          return error.kind;
        }
      }
    };
    let next = 0;
    const working = [
      ends(() => fixture.vectors.upsert({ collection: "things", items: batchFrom((next += 300), 300) })),
      ends(() => fixture.vectors.upsert({ collection: "things", items: batchFrom(0, 5) })),
      ends(search),
      ends(() => Array.fromAsync(fixture.vectors.export({ collection: "things" }))),
      ends(() => fixture.collections.getCollectionStatistics({ name: "things" })),
    ].map((work) => work());
    await new Promise((resolve) => setTimeout(resolve, 60));
    await fixture.collections.deleteCollection({ name: "things" });
    expect(new Set(await Promise.all(working))).toEqual(new Set(["not-found"]));
    const { rows } = await fixture.db.query(
      "SELECT relname FROM pg_class WHERE relname ~ '^collection_[0-9]+_'",
    );
    expect(rows).toEqual([]);
  }
}, 60_000);

test("the same items upserted, updated and deleted at once neither deadlock nor leave metadata without a vector", async () => {
  fixture = await openFixture();
  if (skipped("writers beside each other")) return;
  await createCollection(fixture);
  const { rows: tables } = await fixture.db.query<{ id: number }>(
    "SELECT id FROM collections WHERE name = 'things'",
  );
  const table = `collection_${tables[0]?.id}`;
  const shuffled = (seed: number) => {
    const batch = batchFrom(0, 400, 4, seed);
    const order = (batch.keys ?? []).map((_, i) => (i * 7 + seed * 13) % 400);
    const keys = order.map((i) => keysFrom(i, 1)[0] as string);
    return {
      keys,
      vectors: pack(...order.map((i) => vectorOf(i, 4, seed))),
      metadata: order.map((i) => ({ i, seed })),
    };
  };
  const work = async (worker: number): Promise<void> => {
    for (let round = 0; round < 8; round++) {
      const seed = worker * 100 + round;
      const items = shuffled(seed);
      const count = round % 2 === 0 ? 400 : 30;
      const some = items.keys.slice(0, count);
      if ((worker + round) % 3 === 0) {
        await fixture.vectors.upsert({
          collection: "things",
          items: {
            keys: some,
            vectors: items.vectors.subarray(0, 16 * count),
            metadata: items.metadata.slice(0, count),
          },
        });
      } else if ((worker + round) % 3 === 1) {
        await fixture.vectors.deleteItems({
          collection: "things",
          which: { case: "keys", value: { keys: some } },
        });
      } else {
        // Those that are not there fail it.
        await fixture.vectors
          .updateMetadata({
            collection: "things",
            keys: some,
            metadata: items.metadata.slice(0, count),
            merge: round % 4 === 0,
          })
          .catch((error: unknown) => {
            if (!isKindredError(error) || error.kind !== "not-found") throw error;
          });
      }
    }
  };
  await Promise.all(Array.from({ length: 6 }, (_, worker) => work(worker)));
  const { rows } = await fixture.db.query(
    `SELECT i.key FROM ${table}_items i LEFT JOIN ${table}_vectors v ON v.key = i.key WHERE v.key IS NULL`,
  );
  expect(rows).toEqual([]);
}, 60_000);
