import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { SearchMethod } from "@kindred/contracts/vector-store/v1";
import pg from "pg";
import { openStore } from "../src/app.ts";
import { ensureIndex } from "../src/domain/indexes/ensure-index.ts";
import { buildingName, retiredName } from "../src/domain/indexes/index-names.ts";
import { INDEX_NAME } from "../src/domain/vector-index.ts";
import { errorOf, openFixture, streamOf, type Fixture } from "./fixture.ts";

let fixture: Fixture;
const BUILDING_NAME = buildingName(INDEX_NAME);
const RETIRED_NAME = retiredName(INDEX_NAME);
const CATALOGUE = 600;

beforeAll(async () => {
  fixture = await openFixture();
  const words = ["cat", "dog", "car", "boat", "tree", "house", "apple"];
  await fixture.images.batchAddImages(
    streamOf({
      images: Array.from({ length: CATALOGUE }, (_, i) => ({
        image: { imagePath: `${i}.png`, description: `${words[i % 7]} ${words[(i * 3 + 1) % 7]} number${i}` },
      })),
    }),
  );
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await settled();
  for (const name of [INDEX_NAME, BUILDING_NAME, RETIRED_NAME])
    await fixture.db.query(`DROP INDEX IF EXISTS ${name}`);
  fixture.store.forgetState();
});

/** Waits until no operation is active: one that a test has cancelled cleans up behind it. */
async function settled(): Promise<void> {
  for (;;) {
    const { operations } = await fixture.operations.listOperations({ active: true });
    if (operations.length === 0) return;
    await sleep(20);
  }
}

const names = async (): Promise<[name: string, valid: boolean][]> =>
  (await fixture.index.listIndexes({})).indexes.map((index) => [index.name, index.valid]);
const searchMethod = async (): Promise<SearchMethod | undefined> =>
  (await fixture.search.search({ query: { case: "text", value: "cat" } })).plan?.method;

/** A connection of its own, as another client of the database would have. */
async function withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: fixture.url });
  client.on("error", () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

describe("EnsureIndex", () => {
  test("builds once, and says what is there", async () => {
    expect(await searchMethod()).toBe(SearchMethod.EXACT);
    const first = await fixture.index.ensureIndex({});
    expect(first.built).toBe(true);
    expect(first.buildTimeMs).toBeGreaterThan(0n);
    expect(first.index).toMatchObject({
      name: INDEX_NAME,
      method: "hnsw",
      operatorClass: "vector_cosine_ops",
      valid: true,
      parameters: { m: "16", ef_construction: "200" },
    });
    expect(first.index?.sizeBytes).toBeGreaterThan(8192n);
    expect(await fixture.index.ensureIndex({})).toMatchObject({ built: false, buildTimeMs: 0n });
    const { indexes } = await fixture.index.getStatistics({});
    expect(indexes).toEqual([first.index]);
    expect(await searchMethod()).toBe(SearchMethod.HNSW);
  });

  test("rebuilds for other parameters, and only for those that are asked for", async () => {
    await fixture.index.ensureIndex({ m: 8, efConstruction: 50 });
    expect((await fixture.index.ensureIndex({})).built).toBe(false);
    expect((await fixture.index.ensureIndex({ m: 8 })).built).toBe(false);
    const rebuilt = await fixture.index.ensureIndex({ m: 8, efConstruction: 100 });
    expect(rebuilt).toMatchObject({ built: true, index: { parameters: { m: "8", ef_construction: "100" } } });
    expect(await names()).toEqual([[INDEX_NAME, true]]);
    expect(await searchMethod()).toBe(SearchMethod.HNSW);
  });

  test("is content with an index that somebody else has built", async () => {
    await fixture.db.query("CREATE INDEX mine ON embeddings USING hnsw (embedding vector_cosine_ops)");
    try {
      const reply = await fixture.index.ensureIndex({});
      expect(reply).toMatchObject({
        built: false,
        index: { name: "mine", parameters: { m: "16", ef_construction: "64" } },
      });
      fixture.store.forgetState();
      const { plan } = await fixture.search.search({ query: { case: "text", value: "cat" } });
      expect(plan).toMatchObject({ method: SearchMethod.HNSW, indexName: "mine", efSearch: 400 });
    } finally {
      await fixture.db.query("DROP INDEX mine");
    }
  });

  test("does not take an index of another kind for its own", async () => {
    await fixture.db.query("CREATE INDEX l2 ON embeddings USING hnsw (embedding vector_l2_ops)");
    await fixture.db.query(
      "CREATE INDEX part ON embeddings USING hnsw (embedding vector_cosine_ops) WHERE model_type = 'x'",
    );
    try {
      fixture.store.forgetState();
      expect(await searchMethod()).toBe(SearchMethod.EXACT);
      expect((await fixture.index.ensureIndex({})).built).toBe(true);
    } finally {
      await fixture.db.query("DROP INDEX l2, part");
    }
  });

  test.each([
    ["m", { m: 1 }],
    ["m", { m: 101 }],
    ["m", { m: -1 }],
    ["ef_construction", { m: 16, efConstruction: 31 }],
    ["ef_construction", { efConstruction: 3 }],
    ["ef_construction", { efConstruction: 1001 }],
  ])("refuses a bad %s: %j", async (field, request) => {
    const error = await errorOf(fixture.index.ensureIndex(request));
    expect(error.violations.map((violation) => violation.field)).toEqual([field]);
    expect(await names()).toEqual([]);
  });

  test("one build at a time: a second call is told to come back", async () => {
    const results = await Promise.allSettled(Array.from({ length: 4 }, () => fixture.index.ensureIndex({})));
    const built = results.filter((result) => result.status === "fulfilled" && result.value.built);
    expect(built).toHaveLength(1);
    for (const result of results.filter((r) => r.status === "rejected")) {
      expect(result.reason).toMatchObject({ kind: "aborted", retryAfterMs: expect.any(Number) });
    }
    expect(await names()).toEqual([[INDEX_NAME, true]]);
  });

  test("finishes what was killed before the last step", async () => {
    await fixture.db.query(
      `CREATE INDEX ${BUILDING_NAME} ON embeddings USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 200)`,
    );
    expect(await fixture.index.ensureIndex({ m: 16 })).toMatchObject({
      built: false,
      index: { name: INDEX_NAME },
    });
    expect(await names()).toEqual([[INDEX_NAME, true]]);
  });

  test("removes an old index that was not dropped after its replacement", async () => {
    await fixture.index.ensureIndex({});
    await fixture.db.query(
      `CREATE INDEX ${RETIRED_NAME} ON embeddings USING hnsw (embedding vector_cosine_ops)`,
    );
    expect((await fixture.index.ensureIndex({})).built).toBe(false);
    expect(await names()).toEqual([[INDEX_NAME, true]]);
  });
});

/** For what needs a server on which others work while an index is being built; says so where that is not so. */
const whereOnline = (body: () => Promise<void>) => async (): Promise<void> => {
  const { createIndexConcurrently, advisoryLocks } = fixture.db.capabilities;
  if (createIndexConcurrently && advisoryLocks) return await body();
  process.stderr.write(
    `not run, because this server has one session for everybody: ${expect.getState().currentTestName}\n`,
  );
};

/** Opens a transaction that has written, which CREATE INDEX CONCURRENTLY waits for; the build cannot end before it. */
async function holdingUp<T>(work: () => Promise<T>): Promise<T> {
  return await withClient(async (client) => {
    await client.query("BEGIN");
    await client.query(
      "UPDATE vector_store.embeddings SET model_type = model_type WHERE id = (SELECT min(id) FROM vector_store.embeddings)",
    );
    try {
      return await work();
    } finally {
      await client.query("ROLLBACK");
    }
  });
}

/** The backend that builds, once it is at it. */
async function builder(): Promise<number> {
  for (;;) {
    const { rows } = await fixture.db.query<{ pid: number }>(
      `SELECT a.pid FROM pg_stat_activity a JOIN pg_index i ON i.indrelid = 'embeddings'::regclass AND NOT i.indisvalid
        WHERE a.query LIKE 'CREATE INDEX CONCURRENTLY%' AND a.datname = current_database()`,
    );
    if (rows[0]) return rows[0].pid;
    await sleep(5);
  }
}

describe("an interrupted build", () => {
  test(
    "whose session is ended is begun again by itself, while searches go on",
    whereOnline(async () => {
      const call = fixture.index.ensureIndex({});
      await holdingUp(async () => {
        await fixture.db.query("SELECT pg_terminate_backend($1)", [await builder()]);
        expect(await searchMethod()).toBe(SearchMethod.EXACT);
      });
      expect((await call).built).toBe(true);
      expect(await names()).toEqual([[INDEX_NAME, true]]);
      fixture.store.forgetState();
      expect(await searchMethod()).toBe(SearchMethod.HNSW);
    }),
  );

  test(
    "that its caller gave up leaves nothing, and the lock is free",
    whereOnline(async () => {
      const giveUp = new AbortController();
      await holdingUp(async () => {
        const call = errorOf(fixture.index.ensureIndex({}, { signal: giveUp.signal }));
        await builder();
        giveUp.abort();
        expect((await call).kind).toBe("cancelled");
      });
      // The caller has its answer at once; the cleaning up goes on behind it.
      for (;;) {
        const left = await names();
        if (left.length === 0) break;
        await sleep(10);
      }
      for (;;) {
        try {
          expect((await fixture.index.ensureIndex({})).built).toBe(true);
          break;
        } catch (error) {
          expect(error).toMatchObject({ kind: "aborted" });
          await sleep(10);
        }
      }
    }),
  );

  test(
    "excludes builds of other replicas, and goes on there when its own stops",
    whereOnline(async () => {
      const options = { memoryBytes: 2 ** 26, cacheBytes: 0 };
      const [first, second] = [await openStore(fixture.db, options), await openStore(fixture.db, options)];
      const wanted = { m: undefined, efConstruction: undefined };
      const closed = await holdingUp(async () => {
        const building = errorOf(ensureIndex(first, wanted, () => ({})));
        await builder();
        expect(await errorOf(ensureIndex(second, wanted, () => ({})))).toMatchObject({
          kind: "aborted",
          retryAfterMs: 5000,
        });
        const closing = first[Symbol.asyncDispose]();
        expect((await building).kind).toBe("unavailable");
        return { closing };
      });
      await closed.closing;
      await settled();
      expect(await names()).toEqual([[INDEX_NAME, true]]);
      await second[Symbol.asyncDispose]();
    }),
  );

  test(
    "does not keep others from writing and searching",
    whereOnline(async () => {
      await holdingUp(async () => {
        const call = fixture.index.ensureIndex({});
        await builder();
        const { image } = await fixture.images.addImageWithEmbeddings({
          image: { imagePath: "meanwhile.png", description: "added while the index is being built" },
        });
        expect(await searchMethod()).toBe(SearchMethod.EXACT);
        await fixture.images.deleteImage({ id: image?.id as bigint });
        return { call };
      }).then(async ({ call }) => expect((await call).built).toBe(true));
    }),
  );
});
