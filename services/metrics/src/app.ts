import { create } from "@bufbuild/protobuf";
import { ReportMetricsRequestSchema } from "@kindred/contracts/metrics/v1";
import { databaseUsage, migrate, openDatabase } from "@kindred/postgres";
import {
  followReadiness,
  openChannel,
  serve,
  startMetricsReporter,
  tracingOptions,
  type RpcServer,
} from "@kindred/rpc";
import { createLogger, createMetrics, observePool, startTracing, type Logger } from "@kindred/telemetry";
import { statisticsSources } from "./adapters/peers/statistics-sources.ts";
import { DATABASE_SCHEMA, migrations } from "./adapters/postgres/migrations.ts";
import { sampleStore } from "./adapters/postgres/sample-store.ts";
import type { MetricsConfig } from "./config.ts";
import type { CallLimits } from "./domain/database-stats.ts";
import { startRetention } from "./domain/retention.ts";
import { reportMetricsRpc } from "./rpc/report-metrics.ts";
import { metricsRoutes } from "./rpc/routes.ts";

const NAME = "metrics";
const RETENTION_EVERY_MS = 10 * 60_000;
const RETENTION_BATCH = 5000;
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
  opening.use(
    startRetention({
      store,
      keepMs: config.METRICS_RETENTION,
      everyMs: overrides.retentionEveryMs ?? RETENTION_EVERY_MS,
      batchSize: RETENTION_BATCH,
      log: logger,
    }),
  );
  // This process's own samples go the way of everybody else's, without the network.
  const report = reportMetricsRpc({ store });
  opening.use(
    startMetricsReporter({
      component: NAME,
      deliver: (samples) => report(create(ReportMetricsRequestSchema, { samples })),
      sampleEveryMs: config.METRICS_SAMPLE_INTERVAL,
      activeConnections: () => database.poolStats().total,
      logger,
    }),
  );
  const server = opening.use(
    await serve({ config, routes: metricsRoutes({ store, sources }), logger, metrics, tracing }),
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
