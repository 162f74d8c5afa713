import { databaseUsage, migrate, openDatabase, openDataSource } from "@kindred/postgres";
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
import { exampleSource } from "./adapters/peers/vector-store.ts";
import { GenerationEntity } from "./adapters/postgres/generation-entity.ts";
import { exportEncoders } from "./adapters/parquet/export-encoders.ts";
import { generationLists } from "./adapters/postgres/generation-lists.ts";
import { generationLives } from "./adapters/postgres/generation-lives.ts";
import { generationStore } from "./adapters/postgres/generation-store.ts";
import { generationVersions } from "./adapters/postgres/generation-versions.ts";
import { lineageStore } from "./adapters/postgres/lineage-store.ts";
import { filteredIds } from "./adapters/postgres/filtered-ids.ts";
import { promptOutbox } from "./adapters/postgres/prompt-outbox.ts";
import { lifeMetrics } from "./adapters/telemetry/life-metrics.ts";
import { outboxMetrics } from "./adapters/telemetry/outbox-metrics.ts";
import { promptCollection } from "./adapters/peers/prompt-collection.ts";
import { OutboxWorker } from "./domain/outbox/outbox-worker.ts";
import { DATABASE_SCHEMA, migrations } from "./adapters/postgres/migrations.ts";
import { modelCacheStore } from "./adapters/postgres/model-cache-store.ts";
import { sessionStore } from "./adapters/postgres/session-store.ts";
import type { GenerationTrackingConfig } from "./config.ts";
import { endIdleSessions } from "./domain/sessions/end-idle-sessions.ts";
import { failAbandoned } from "./domain/fail-abandoned.ts";
import { GenerationWatches } from "./domain/generation-watches.ts";
import { Sweeper } from "./domain/sweeper.ts";
import { openOperations } from "./open-operations.ts";
import { generationRoutes } from "./rpc/routes.ts";

const NAME = "generation-tracking";
/** How often is looked whether generations have changed that somebody watches. */
const WATCH_EVERY_MS = 250;

export interface App extends AsyncDisposable {
  readonly server: RpcServer;
  readonly ready: { grpcPort: number; httpPort: number };
}

export interface Overrides {
  logger?: Logger;
  /** How often the database is probed. */
  readinessEveryMs?: number;
}

/**
 * Everything that this service consists of, serving. Disposing of it drains the server first, and closes the database
 * and then what records metrics and spans last.
 */
export async function createApp(config: GenerationTrackingConfig, overrides: Overrides = {}): Promise<App> {
  const logger = overrides.logger ?? createLogger({ component: NAME, level: config.LOG_LEVEL });
  await using opening = new AsyncDisposableStack();
  const metrics = opening.use(createMetrics({ component: NAME }));
  const tracing = opening.use(startTracing({ component: NAME, logger, ...tracingOptions(config) }));
  const database = opening.use(
    await openDatabase({ config, schema: DATABASE_SCHEMA, applicationName: `kindred-${NAME}`, logger }),
  );
  observePool(metrics, () => database.poolStats());
  if (config.MIGRATE_ON_START) await migrate(database, { migrations });
  const dataSource = opening.adopt(
    await openDataSource(database, { entities: [GenerationEntity], migrations }),
    (opened) => opened.destroy(),
  );
  opening.use(
    startMetricsReporter({
      component: NAME,
      address: config.METRICS_ADDRESS,
      ...metricsReporterOptions(config),
      activeConnections: () => database.poolStats().total,
      logger,
    }),
  );
  const sessions = sessionStore(database);
  opening.use(
    new Sweeper({
      what: "idle sessions",
      everyMs: config.SESSION_SWEEP_INTERVAL,
      sweep: (signal) => endIdleSessions({ sessions }, signal),
      log: logger,
    }),
  );
  const vectorStore = opening.use(
    openChannel({ address: config.VECTOR_STORE_ADDRESS, maxMessageBytes: config.MAX_MESSAGE_BYTES, metrics }),
  );
  const store = generationStore({ db: database, dataSource });
  const lives = generationLives({ db: database, store, onAbandoned: lifeMetrics(metrics).abandoned });
  const watches = new GenerationWatches({
    store,
    readVersions: generationVersions(database),
    everyMs: WATCH_EVERY_MS,
  });
  opening.use(
    new Sweeper({
      what: "abandoned generations",
      everyMs: config.GENERATION_SWEEP_INTERVAL,
      sweep: (signal) => failAbandoned({ lives }, signal),
      log: logger,
    }),
  );
  const collection = promptCollection(vectorStore.transport, config.PROMPT_COLLECTION);
  const outbox = promptOutbox(database);
  const feeding = opening.use(
    new OutboxWorker({
      outbox,
      collection,
      everyMs: config.PROMPT_OUTBOX_INTERVAL,
      observer: outboxMetrics(metrics, outbox),
      log: logger,
    }),
  );
  const retention = opening.use(
    openOperations(database, { applyEveryMs: config.RETENTION_CHECK_INTERVAL, metrics }),
  );
  const routes = generationRoutes({
    retention,
    prompts: {
      collection,
      outbox,
      store,
      filtered: filteredIds(database),
      onMissing: () => feeding.collectionIsMissing(),
    },
    store,
    lives,
    watches,
    lists: generationLists({ db: database, store }),
    encoders: exportEncoders,
    // A third of the connections.
    exportsAtOnce: Math.max(1, Math.floor(database.poolStats().max / 3)),
    modelCache: modelCacheStore(database),
    lineage: lineageStore({ db: database, generations: store }),
    examples: exampleSource(vectorStore.transport),
    usage: (limits) => databaseUsage(database, limits),
    sessions,
    idleTimeoutMs: config.SESSION_IDLE_TIMEOUT,
  });
  const onDrain = (): void => {
    watches.end();
    retention.endWatches();
  };
  const server = opening.use(await serve({ config, routes, logger, metrics, tracing, onDrain }));
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
