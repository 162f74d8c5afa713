import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { OperationState } from "@kindred/contracts/common/v1";
import { CollectionService, OperationService } from "@kindred/contracts/vector-store/v1";
import { openChannel, type Channel } from "@kindred/rpc";
import { errorOf, silentLogger, testDatabase } from "@kindred/testing";
import pg from "pg";
import { createApp, type App } from "../src/app.ts";
import { configSchema } from "../src/config.ts";
import { fakeEmbedding } from "./fake-embedding.ts";

const closing = new AsyncDisposableStack();
let app: App;
let channel: Channel;
let database: pg.Client;

beforeAll(async () => {
  const { url } = closing.use(await testDatabase());
  const config = loadConfig(configSchema, {
    DATABASE_URL: url,
    GRPC_PORT: "0",
    HTTP_PORT: "0",
    METRICS_ADDRESS: "127.0.0.1:1",
    EMBEDDING_ADDRESS: "127.0.0.1:1",
    // A watch that held up the shutdown would hold up this test for longer than it may take.
    DRAIN_TIMEOUT: "300s",
  });
  app = closing.use(await createApp(config, { logger: silentLogger(), embedding: fakeEmbedding() }));
  channel = closing.use(openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` }));
  database = closing.adopt(new pg.Client({ connectionString: url }), (client) => client.end());
  await database.connect();
  await database.query("SET search_path = vector_store, public");
}, 120_000);
afterAll(() => closing.disposeAsync());

/** One that somebody else does, for as long as the test takes. */
async function running(collection: string): Promise<bigint> {
  const { rows } = await database.query<{ id: string }>(
    `INSERT INTO operations (kind, collection, state, automatic, spec, attempts, owner, lease_until, started_at, measured_since)
     VALUES ('index_drop', $1, 'running', false, '{"index": "x"}', 1, 'somebody', now() + interval '1 hour', now(), now())
     RETURNING id`,
    [collection],
  );
  return BigInt(rows[0]?.id as string);
}

test("operations are listed by pages, the latest first", async () => {
  const operations = createClient(OperationService, channel.transport);
  const ids: bigint[] = [];
  for (let i = 0; i < 5; i++) {
    const id = await running("listed");
    await database.query("UPDATE operations SET finished_at = now(), state = 'succeeded' WHERE id = $1", [
      String(id),
    ]);
    ids.unshift(id);
  }
  const seen: bigint[] = [];
  for (let pageToken = ""; ;) {
    const page = await operations.listOperations({ collection: "listed", pageSize: 2, pageToken });
    seen.push(...page.operations.map(({ id }) => id));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  expect(seen).toEqual(ids);
  const { operations: active } = await operations.listOperations({ collection: "listed", active: true });
  expect(active).toEqual([]);
});

test("the operations of a collection that is deleted are asked to end", async () => {
  const collections = createClient(CollectionService, channel.transport);
  const operations = createClient(OperationService, channel.transport);
  await collections.createCollection({ name: "short_lived", dimensions: 3 });
  const id = await running("short_lived");
  await collections.deleteCollection({ name: "short_lived" });
  const { operation } = await operations.getOperation({ id });
  expect(operation).toMatchObject({
    state: OperationState.CANCELLING,
    notes: ["its collection was deleted"],
  });
  // A collection that stays keeps its operations.
  const kept = await running("images");
  expect((await errorOf(collections.deleteCollection({ name: "images" }))).kind).toBe("failed-precondition");
  expect((await operations.getOperation({ id: kept })).operation?.state).toBe(OperationState.RUNNING);
  await database.query(
    "UPDATE operations SET finished_at = now(), state = 'cancelled' WHERE finished_at IS NULL",
  );
});

test("a watch does not hold up a shutdown, and says that the operation goes on", async () => {
  const operations = createClient(OperationService, channel.transport);
  const id = await running("watched");
  const seen: OperationState[] = [];
  const first = Promise.withResolvers<void>();
  const watching = (async () => {
    for await (const { operation } of operations.watchOperation({ id })) {
      seen.push(operation?.state as OperationState);
      first.resolve();
    }
  })();
  const ended = errorOf(watching);
  await first.promise;
  await app[Symbol.asyncDispose]();
  expect((await ended).kind).toBe("unavailable");
  expect(seen).toEqual([OperationState.RUNNING]);
}, 120_000);
