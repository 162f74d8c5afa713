import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ConnectRouter } from "@connectrpc/connect";
import { createClient, type Client } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@kindred/contracts/grpc-health/v1";
import { MetricsService, type MetricSample } from "@kindred/contracts/metrics/v1";
import { IndexService } from "@kindred/contracts/vector-store/v1";
import { runTask } from "@kindred/process";
import { openChannel, serve, serverSettings, startMetricsReporter } from "@kindred/rpc";
import { silentLogger, testDatabase, type TestDatabase } from "@kindred/testing";
import { createApp, type Overrides } from "../src/app.ts";
import { configSchema } from "../src/config.ts";

const DEAD = "127.0.0.1:1";
const logger = silentLogger();
let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, 120_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

let open = new AsyncDisposableStack();
afterEach(async () => {
  await open.disposeAsync();
  open = new AsyncDisposableStack();
});

interface RunningMetrics {
  address: string;
  client: Client<typeof MetricsService>;
  health: Client<typeof Health>;
}

async function start(env: Record<string, string> = {}, overrides: Overrides = {}): Promise<RunningMetrics> {
  const app = open.use(
    await createApp(
      loadConfig(configSchema, {
        DATABASE_URL: database.url,
        GRPC_PORT: "0",
        HTTP_PORT: "0",
        VECTOR_STORE_ADDRESS: DEAD,
        GENERATION_TRACKING_ADDRESS: DEAD,
        METRICS_SAMPLE_INTERVAL: "1h",
        ...env,
      }),
      { logger, ...overrides },
    ),
  );
  const address = `127.0.0.1:${app.ready.grpcPort}`;
  const { transport } = open.use(openChannel({ address }));
  return {
    address,
    client: createClient(MetricsService, transport),
    health: createClient(Health, transport),
  };
}

/** A peer on a real port that speaks the contract. */
async function startPeer(routes: (router: ConnectRouter) => void): Promise<string> {
  const config = loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), { DRAIN_TIMEOUT: "0s" });
  const server = open.use(await serve({ config, routes, logger }));
  return `127.0.0.1:${server.grpcPort}`;
}

async function historyOf(
  client: RunningMetrics["client"],
  component: string,
  enough: (samples: MetricSample[]) => boolean,
): Promise<MetricSample[]> {
  for (;;) {
    const { samples } = await client.getMetricsHistory({ component });
    if (enough(samples)) return samples;
    await sleep(20);
  }
}

/** What migrate.ts prints, a line each. */
const runMigrations = async (): Promise<string[]> => {
  const printed: string[] = [];
  await runTask({
    entry: fileURLToPath(new URL("../src/migrate.ts", import.meta.url)),
    env: { DATABASE_URL: database.url, LOG_LEVEL: "error" },
    onLog: (line) => printed.push(line),
  });
  return printed;
};

test("migrate.ts names each migration that it applied, and then has nothing to do", async () => {
  expect(await runMigrations()).toEqual([
    "metrics: CreateSystemMetrics1763683200000",
    "metrics: PartitionSystemMetrics1765065600000",
  ]);
  expect(await runMigrations()).toEqual([]);
});

test("it samples itself, and takes the samples of another process", async () => {
  const { address, client, health } = await start({ METRICS_SAMPLE_INTERVAL: "100ms" });
  expect(await health.check({ service: "kindred.metrics.v1.MetricsService" })).toMatchObject({
    status: Status.SERVING,
  });
  open.use(
    startMetricsReporter({
      component: "other",
      address,
      sampleEveryMs: 20,
      activeConnections: () => 3,
      logger,
    }),
  );
  const own = await historyOf(client, "metrics", (samples) => samples.length >= 2);
  for (const sample of own) {
    expect(sample.memoryUsageMb).toBeGreaterThan(1);
    expect(sample.cpuUsage).toBeGreaterThanOrEqual(0);
    expect(sample.activeConnections).toBeGreaterThanOrEqual(0);
  }
  const other = await historyOf(client, "other", (samples) => samples.length >= 2);
  expect(other[0]).toMatchObject({ component: "other", activeConnections: 3 });
});

test("the overall statistics come from the services that own them", async () => {
  const { client } = await start({
    VECTOR_STORE_ADDRESS: await startPeer((router) =>
      router.service(IndexService, {
        getStatistics: () => ({ totalImages: 5000n, totalEmbeddings: 25_014n }),
        getDatabaseUsage: () => ({
          usage: {
            schema: "vector_store",
            tables: [{ name: "images", estimatedRows: 5000n, tableBytes: 1_000_000n, indexBytes: 2n ** 42n }],
            pool: { total: 3, idle: 1, waiting: 0, max: 15 },
            serverVersion: "17.9",
          },
        }),
      }),
    ),
    GENERATION_TRACKING_ADDRESS: await startPeer((router) =>
      router.service(GenerationService, {
        getStatistics: () => ({ totalGenerations: 12n, recentGenerations: 2n, avgGenerationTimeMs: 1830.5 }),
        // It has no answer, as one that has just begun may have none.
        getDatabaseUsage: () => ({}),
      }),
    ),
  });
  const stats = await client.getDatabaseStats({});
  expect(stats).toMatchObject({
    totalImages: 5000n,
    totalEmbeddings: 25_014n,
    totalGenerations: 12n,
    recentGenerations: 2n,
    avgGenerationTimeMs: 1830.5,
    unavailable: [],
  });
  expect(stats.databases.map(({ service }) => service)).toEqual(["metrics", "vector-store"]);
  const [own, store] = stats.databases;
  expect(own?.usage).toMatchObject({ schema: "metrics", pool: { max: expect.any(Number) } });
  const samples = own?.usage?.tables.find(({ name }) => name === "system_metrics");
  expect(samples?.indexBytes).toBeGreaterThan(0n);
  expect(store?.usage).toMatchObject({
    schema: "vector_store",
    tables: [{ name: "images", estimatedRows: 5000n, tableBytes: 1_000_000n, indexBytes: 2n ** 42n }],
    pool: { total: 3, idle: 1, waiting: 0, max: 15 },
    serverVersion: "17.9",
  });
});

test("services that are away, or hang, are listed; what the others own is there", async () => {
  const { client } = await start({
    GENERATION_TRACKING_ADDRESS: await startPeer((router) =>
      router.service(GenerationService, { getStatistics: () => new Promise(() => {}) }),
    ),
  });
  const stats = await client.getDatabaseStats({}, { timeoutMs: 2000 });
  expect(stats.unavailable.map((source) => source.service)).toEqual(["generation-tracking", "vector-store"]);
  for (const { reason } of stats.unavailable) expect(reason).toMatch(/^[^\n]+$/);
  expect([stats.totalImages, stats.totalGenerations, stats.avgGenerationTimeMs]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("old samples go away by themselves", async () => {
  const { client } = await start({ METRICS_RETENTION: "1h" }, { retentionEveryMs: 20 });
  const seconds = BigInt(Math.floor(Date.now() / 1000));
  await client.reportMetrics({
    samples: [
      { component: "old", timestamp: { seconds: seconds - 14_400n } },
      { component: "old", timestamp: { seconds: seconds - 60n } },
    ],
  });
  const left = await historyOf(client, "old", (samples) => samples.length === 1);
  expect(left[0]?.timestamp?.seconds).toBe(seconds - 60n);
});
