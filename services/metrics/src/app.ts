import { create } from "@bufbuild/protobuf";
import { ReportMetricsRequestSchema } from "@kindred/contracts/metrics/v1";
import { databaseUsage, migrate, openDatabase } from "@kindred/postgres";
import {
  followReadiness,
  metricsReporterOptions,
  openChannel,
  serve,
  startMetricsReporter,
  tracingOptions,
  type RpcServer,
} from "@kindred/rpc";
import { createLogger, createMetrics, observePool, startTracing, type Logger } from "@kindred/telemetry";
import { statisticsSources } from "./adapters/peers/statistics-sources.ts";
import { DATABASE_SCHEMA, migrations } from "./adapters/postgres/migrations.ts";
import { componentStore } from "./adapters/postgres/component-store.ts";
import { historyStore } from "./adapters/postgres/history-store.ts";
import { liveStore } from "./adapters/postgres/live-store.ts";
import { rollupStore } from "./adapters/postgres/rollup-store.ts";
import { sampleStore } from "./adapters/postgres/sample-store.ts";
import { storage } from "./adapters/postgres/storage.ts";
import { roundMetrics } from "./adapters/telemetry/round-metrics.ts";
import type { MetricsConfig } from "./config.ts";
import type { CallLimits } from "./domain/database-stats.ts";
import { createLiveSamples } from "./domain/live-samples.ts";
import { keepStorage } from "./domain/retention.ts";
import { computeRollups } from "./domain/rollups.ts";
import { startRounds } from "./domain/rounds.ts";
import { createSampleWriter } from "./domain/sample-writer.ts";
import { reportMetricsRpc } from "./rpc/report-metrics.ts";
import { metricsRoutes } from "./rpc/routes.ts";

const NAME = "metrics";
const RETENTION_EVERY_MS = 10 * 60_000;
const RETENTION_BATCH = 5000;
const ROLLUPS_EVERY_MS = 10_000;
const LIVE_EVERY_MS = 500;
const LIVE_MAX_WAITING = 10_000;
/** Who looks at statistics wants to see soon that a service is away, rather than to wait until it is back. */
const PEER_RETRY = { attempts: 3, initialBackoffMs: 50, maxBackoffMs: 200 };

export interface App extends AsyncDisposable {
  readonly server: RpcServer;
  readonly ready: { grpcPort: number; httpPort: number };
}

export interface Overrides {
  logger?: Logger;
  /** How often old samples are deleted. */
  retentionEveryMs?: number;
  /** How often minutes and hours are computed. */
  rollupsEveryMs?: number;
  /** How often one looks for samples while somebody watches. */
  liveEveryMs?: number;
  /** How often the database is probed. */
  readinessEveryMs?: number;
}

/**
 * Everything that this service consists of, serving. Disposing of it drains the server first, and closes the database
 * and then what records metrics and spans last.
 */
export async function createApp(config: MetricsConfig, overrides: Overrides = {}): Promise<App> {
  const logger = overrides.logger ?? createLogger({ component: NAME, level: config.LOG_LEVEL });
  await using opening = new AsyncDisposableStack();
  const metrics = opening.use(createMetrics({ component: NAME }));
  const tracing = opening.use(startTracing({ component: NAME, logger, ...tracingOptions(config) }));
  const database = opening.use(
    await openDatabase({ config, schema: DATABASE_SCHEMA, applicationName: `kindred-${NAME}`, logger }),
  );
  observePool(metrics, () => database.poolStats());
  if (config.MIGRATE_ON_START) await migrate(database, { migrations });
  const store = sampleStore(database);
  const vectorStore = opening.use(
    openChannel({ address: config.VECTOR_STORE_ADDRESS, retry: PEER_RETRY, metrics }),
  );
  const generationTracking = opening.use(
    openChannel({ address: config.GENERATION_TRACKING_ADDRESS, retry: PEER_RETRY, metrics }),
  );
  const peers = statisticsSources({
    vectorStore: vectorStore.transport,
    generationTracking: generationTracking.transport,
  });
  const sources = {
    ...peers,
    databases: { ...peers.databases, [NAME]: (limits: CallLimits) => databaseUsage(database, limits) },
  };
  const countRounds = roundMetrics(metrics);
  const keeping = {
    storage: storage(database),
    keepMs: {
      raw: config.METRICS_RETENTION,
      minute: config.METRICS_MINUTE_RETENTION,
      hour: config.METRICS_HOUR_RETENTION,
    },
    batchSize: RETENTION_BATCH,
    log: logger,
  };
  opening.use(
    startRounds({
      failure: "partitions could not be made, or old samples not deleted",
      everyMs: overrides.retentionEveryMs ?? RETENTION_EVERY_MS,
      atOnce: true,
      round: (signal) => keepStorage(keeping, signal),
      log: logger,
      onEnd: countRounds("retention"),
    }),
  );
  const rollups = rollupStore(database);
  opening.use(
    startRounds({
      failure: "minutes and hours could not be computed",
      everyMs: overrides.rollupsEveryMs ?? ROLLUPS_EVERY_MS,
      atOnce: true,
      round: (signal) => computeRollups({ rollups }, signal),
      log: logger,
      onEnd: countRounds("rollups"),
    }),
  );
  const live = opening.use(
    createLiveSamples({
      store: liveStore(database),
      everyMs: overrides.liveEveryMs ?? LIVE_EVERY_MS,
      maxWaiting: LIVE_MAX_WAITING,
      log: logger,
    }),
  );
  const writer = createSampleWriter({ store });
  // This process's own samples go the way of everybody else's, without the network.
  const report = reportMetricsRpc({ writer });
  opening.use(
    startMetricsReporter({
      component: NAME,
      deliver: (samples) => report(create(ReportMetricsRequestSchema, { samples })),
      ...metricsReporterOptions(config),
      activeConnections: () => database.poolStats().total,
      logger,
    }),
  );
  const routes = metricsRoutes({
    store,
    writer,
    history: historyStore(database),
    live,
    components: componentStore(database),
    sources,
  });
  const server = opening.use(
    await serve({ config, routes, logger, metrics, tracing, onDrain: () => live.end() }),
  );
  opening.use(
    followReadiness({
      server,
      probe: () => database.query("SELECT 1"),
      ...(overrides.readinessEveryMs === undefined ? {} : { everyMs: overrides.readinessEveryMs }),
      logger,
    }),
  );
  const open = opening.move();
  return {
    server,
    ready: { grpcPort: server.grpcPort, httpPort: server.httpPort },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
