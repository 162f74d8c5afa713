import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Client } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import {
  CollectionService,
  SearchMethod,
  SearchService,
  VectorService,
} from "@kindred/contracts/vector-store/v1";
import { openChannel } from "@kindred/rpc";
import { replicatedDatabase, silentLogger, type ReplicatedDatabase } from "@kindred/testing";
import pg from "pg";
import { createApp, type App } from "../src/app.ts";
import { configSchema } from "../src/config.ts";
import { fakeEmbedding } from "./fake-embedding.ts";
import { toFilterMessage } from "./filter-message.ts";
import { errorOf } from "./fixture.ts";
import { batchFrom, keysFrom, pack, vectorOf } from "./items-fixture.ts";

// The service over a PostgreSQL and a streaming replica of it.

interface Stand {
  database: ReplicatedDatabase;
  app: App;
  collections: Client<typeof CollectionService>;
  vectors: Client<typeof VectorService>;
  searches: Client<typeof SearchService>;
  /** The servers themselves. */
  primary: pg.Pool;
  replica: pg.Pool;
}

jest.setTimeout(120_000);

const closing = new AsyncDisposableStack();
let stand: Stand | undefined;
beforeAll(async () => {
  const database = await replicatedDatabase();
  if ("unavailable" in database) {
    process.stderr.write(`not run: ${database.unavailable}\n`);
    return;
  }
  closing.use(database);
  const pool = (connectionString: string): pg.Pool => {
    const made = closing.adopt(new pg.Pool({ connectionString }), (open) => open.end());
    made.on("error", () => {});
    return made;
  };
  const config = loadConfig(configSchema, {
    DATABASE_URL: database.primaryUrl,
    READ_DATABASE_URL: database.replicaUrl,
    GRPC_PORT: "0",
    HTTP_PORT: "0",
    METRICS_ADDRESS: "127.0.0.1:1",
    EMBEDDING_ADDRESS: "127.0.0.1:1",
  });
  const [primary, replica] = [pool(database.primaryUrl), pool(database.replicaUrl)];
  const app = closing.use(await createApp(config, { logger: silentLogger(), embedding: fakeEmbedding() }));
  const { transport } = closing.use(openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` }));
  stand = {
    database,
    app,
    primary,
    replica,
    collections: createClient(CollectionService, transport),
    vectors: createClient(VectorService, transport),
    searches: createClient(SearchService, transport),
  };
}, 120_000);
afterAll(async () => {
  await closing.disposeAsync();
}, 60_000);

const HOUR = { seconds: 3600n };
const PRIMARY = { seconds: 0n };

const search = ({ searches }: Stand, more: object = {}) =>
  searches.search({
    collection: "things",
    query: { case: "vector", value: { data: pack(vectorOf(3)) } },
    k: 5,
    ...more,
  });

/** Until it is so; tests of a busy machine wait long. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error("it has not come about within a minute");
    await sleep(100);
  }
}

const answersSearches = (on: Stand) => async (): Promise<boolean> =>
  (await search(on)).plan?.replica === true;

/** All that the primary has written, and the replica replayed. */
async function caughtUp({ primary, replica }: Stand): Promise<void> {
  const { rows } = await primary.query<{ lsn: string }>("SELECT pg_current_wal_lsn()::text AS lsn");
  await until(async () => {
    const reached = await replica.query<{ there: boolean }>(
      "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS there",
      [rows[0]?.lsn],
    );
    return reached.rows[0]?.there ?? false;
  });
}

/** A test that is passed over, as was said before, where there is no replica. */
const withReplica = (work: (on: Stand) => Promise<void>) => async (): Promise<void> => {
  if (stand) await work(stand);
};

beforeEach(async () => {
  if (!stand) return;
  await stand.collections.createCollection({ name: "things", dimensions: 4 });
  await stand.vectors.upsert({ collection: "things", items: batchFrom(0, 1000) });
  await caughtUp(stand);
  await until(answersSearches(stand));
}, 120_000);
afterEach(async () => {
  if (!stand) return;
  await stand.database.startReplica();
  await stand.replica.query("SELECT pg_wal_replay_resume()");
  await stand.collections.deleteCollection({ name: "things" });
}, 120_000);

test(
  "searches of all kinds are answered there, and all the same",
  withReplica(async (on) => {
    const asked = {
      searches: [
        {
          collection: "things",
          query: { case: "vector" as const, value: { data: pack(vectorOf(3)) } },
          k: 5,
        },
      ],
    };
    const here = await search(on, { maxStaleness: PRIMARY });
    expect(here.plan).toMatchObject({ replica: false, method: SearchMethod.EXACT });
    const there = await search(on);
    expect(there.plan).toMatchObject({ replica: true, method: SearchMethod.EXACT });
    expect(there.hits).toEqual(here.hits);
    const { results } = await on.searches.searchBatch(asked);
    expect(results[0]?.result).toMatchObject({
      case: "response",
      value: { plan: { replica: true }, hits: here.hits },
    });
    const explained = await on.searches.explain({ search: asked.searches[0] as object, analyze: true });
    expect(explained.plan).toMatchObject({ replica: true });
    expect(explained.postgresPlan).toContain("actual time");
    // The vector of the item is read from the primary.
    const byKey = await search(on, { query: { case: "key", value: keysFrom(3, 1)[0] } });
    expect(byKey.plan?.replica).toBe(true);
    const text = { text: "key", rankConstant: 60 };
    expect((await search(on, { hybrid: text })).plan?.replica).toBe(true);
    const filtered = await search(on, {
      where: toFilterMessage({ kind: "eq", path: ["number"], value: 7 }),
    });
    expect(filtered.plan?.replica).toBe(true);
  }),
);

test(
  "an index is scanned there as soon as it has arrived",
  withReplica(async (on) => {
    const { rows } = await on.primary.query<{ id: number }>(
      "SELECT id FROM vector_store.collections WHERE name = 'things'",
    );
    await on.primary.query(
      `CREATE INDEX ON vector_store.collection_${rows[0]?.id}_vectors USING hnsw (embedding vector_cosine_ops)`,
    );
    await caughtUp(on);
    await until(async () => {
      const { plan } = await search(on, { efSearch: 50 });
      return plan?.replica === true && plan.method === SearchMethod.HNSW;
    });
    expect((await search(on, { efSearch: 50 })).hits).toHaveLength(5);
  }),
);

test(
  "a primary at rest makes nothing stale",
  withReplica(async (on) => {
    await sleep(4000);
    expect((await search(on, { maxStaleness: { seconds: 3n } })).plan?.replica).toBe(true);
  }),
);

test(
  "a negative staleness is refused",
  withReplica(async (on) => {
    const error = await errorOf(search(on, { maxStaleness: { seconds: -1n } }));
    expect(error).toMatchObject({ kind: "invalid-argument", violations: [{ field: "max_staleness" }] });
  }),
);

describe("a replica that lags", () => {
  test(
    "answers those only who bear it",
    withReplica(async (on) => {
      await on.replica.query("SELECT pg_wal_replay_pause()");
      await on.vectors.upsert({
        collection: "things",
        items: { keys: ["new"], vectors: pack(vectorOf(3)), metadata: [{}] },
      });
      const keys = async (maxStaleness: object): Promise<[boolean | undefined, boolean]> => {
        const { plan, hits } = await search(on, { maxStaleness });
        return [plan?.replica, hits.some(({ key }) => key === "new")];
      };
      // What one has written oneself is there for whoever asks the primary.
      expect(await keys(PRIMARY)).toEqual([false, true]);
      expect(await keys(HOUR)).toEqual([true, false]);
      await until(async () => (await search(on, { maxStaleness: { seconds: 2n } })).plan?.replica === false);
      expect(await keys({ seconds: 2n })).toEqual([false, true]);

      await on.replica.query("SELECT pg_wal_replay_resume()");
      await until(async () => (await search(on, { maxStaleness: { seconds: 2n } })).plan?.replica === true);
      await caughtUp(on);
      expect(await keys(HOUR)).toEqual([true, true]);
    }),
  );

  test(
    "has not the tables of a new collection yet: the primary answers",
    withReplica(async (on) => {
      await on.replica.query("SELECT pg_wal_replay_pause()");
      await on.collections.createCollection({ name: "fresh", dimensions: 4 });
      try {
        await on.vectors.upsert({ collection: "fresh", items: batchFrom(0, 10) });
        const { plan, hits } = await search(on, { collection: "fresh", maxStaleness: HOUR });
        expect(plan?.replica).toBe(false);
        expect(hits).toHaveLength(5);
      } finally {
        await on.collections.deleteCollection({ name: "fresh" });
      }
    }),
  );

  test(
    "without its primary's log it is stale as soon as something is written",
    withReplica(async (on) => {
      const { rows } = await on.replica.query<{ primary_conninfo: string }>("SHOW primary_conninfo");
      const follow = async (connection: string): Promise<void> => {
        await on.replica.query(`ALTER SYSTEM SET primary_conninfo = ${pg.escapeLiteral(connection)}`);
        await on.replica.query("SELECT pg_reload_conf()");
      };
      await follow("");
      try {
        await until(async () => (await on.primary.query("SELECT FROM pg_stat_replication")).rowCount === 0);
        await on.vectors.upsert({ collection: "things", items: batchFrom(1000, 10) });
        await until(
          async () => (await search(on, { maxStaleness: { seconds: 3n } })).plan?.replica === false,
        );
      } finally {
        await follow(rows[0]?.primary_conninfo ?? "");
      }
      await until(answersSearches(on));
      expect((await search(on)).plan?.replica).toBe(true);
    }),
  );
});

describe("no search fails", () => {
  /** Searches without pause while something happens. @returns how many were answered where */
  async function searching(
    on: Stand,
    happens: () => Promise<void>,
  ): Promise<{ replica: number; primary: number }> {
    const answered = { replica: 0, primary: 0 };
    const over = new AbortController();
    const work = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const { plan, hits } = await search(on, { maxStaleness: HOUR });
        expect(hits).toHaveLength(5);
        answered[plan?.replica ? "replica" : "primary"]++;
      }
    };
    const workers = Array.from({ length: 4 }, work);
    try {
      await happens();
    } finally {
      over.abort();
      await Promise.all(workers);
    }
    return answered;
  }

  test(
    "while the replica is stopped and started again",
    withReplica(async (on) => {
      const answered = await searching(on, async () => {
        await sleep(200);
        await on.database.stopReplica();
        await until(async () => (await search(on)).plan?.replica === false);
        await on.database.startReplica();
        await until(answersSearches(on));
      });
      expect(answered.replica).toBeGreaterThan(0);
      expect(answered.primary).toBeGreaterThan(0);
    }),
  );

  test(
    "while its connections are cut",
    withReplica(async (on) => {
      await searching(on, async () => {
        for (let i = 0; i < 20; i++) {
          await on.replica.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kindred-vector-store-search'",
          );
          await sleep(50);
        }
      });
      await until(answersSearches(on));
      expect((await search(on)).hits).toHaveLength(5);
    }),
  );

  test(
    "while replaying the log cancels what runs there",
    withReplica(async (on) => {
      await on.vectors.upsert({ collection: "things", items: batchFrom(1000, 9000) });
      const { rows } = await on.primary.query<{ id: number }>(
        "SELECT id FROM vector_store.collections WHERE name = 'things'",
      );
      const table = `vector_store.collection_${rows[0]?.id}_vectors`;
      await on.replica.query("ALTER SYSTEM SET max_standby_streaming_delay = 0");
      await on.replica.query("SELECT pg_reload_conf()");
      const cancelled = async (): Promise<number> => {
        const { rows: counts } = await on.replica.query<{ count: string }>(
          "SELECT confl_lock AS count FROM pg_stat_database_conflicts WHERE datname = current_database()",
        );
        return Number(counts[0]?.count);
      };
      try {
        const answered = await searching(on, () =>
          until(async () => {
            // What holds this lock is logged, and shuts searches out on the replica too.
            const client = await on.primary.connect();
            await client.query(
              `BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE; SELECT pg_current_xact_id(); COMMIT`,
            );
            client.release();
            return (await cancelled()) >= 3;
          }),
        );
        expect(answered.replica).toBeGreaterThan(0);
      } finally {
        await on.replica.query("ALTER SYSTEM RESET max_standby_streaming_delay");
        await on.replica.query("SELECT pg_reload_conf()");
      }
    }),
  );
});

test(
  "what becomes of replicas is told to Prometheus, and readiness is the primary's",
  withReplica(async (on) => {
    const base = `http://127.0.0.1:${on.app.ready.httpPort}`;
    const metric = async (name: string): Promise<number[]> => {
      const body = await (await fetch(`${base}/metrics`)).text();
      return body
        .split("\n")
        .filter((line) => line.startsWith(name))
        .map((line) => Number(line.split(" ").at(-1)));
    };
    await search(on);
    expect((await metric("kindred_vector_store_replica_staleness_seconds{"))[0]).toBeLessThan(10);
    const outcomes = await metric("kindred_vector_store_replica_statements_total{");
    expect(outcomes).toHaveLength(2);
    expect(Math.max(...outcomes)).toBeGreaterThan(0);
    await on.database.stopReplica();
    await until(async () => (await metric("kindred_vector_store_replica_staleness_seconds{")).length === 0);
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  }),
);
