import { migrate, openDatabase, openDataSource, type Database } from "@kindred/postgres";
import {
  followReadiness,
  openChannel,
  serve,
  startMetricsReporter,
  tracingOptions,
  type RpcServer,
} from "@kindred/rpc";
import {
  createLogger,
  createMetrics,
  memoryLimit,
  observePool,
  startTracing,
  type Logger,
} from "@kindred/telemetry";
import { embeddingClient } from "./adapters/peers/embedding-client.ts";
import { catalogueState } from "./adapters/postgres/catalogue-state.ts";
import { catalogueWriter } from "./adapters/postgres/catalogue-writer.ts";
import { collectionRepository } from "./adapters/postgres/collection-repository.ts";
import { entities } from "./adapters/postgres/entities.ts";
import { imageRepository } from "./adapters/postgres/image-repository.ts";
import { IndexBuilder } from "./adapters/postgres/index-builder.ts";
import { DATABASE_SCHEMA, migrations } from "./adapters/postgres/migrations.ts";
import { prepareVector } from "./adapters/postgres/require-vector.ts";
import { statisticsReader } from "./adapters/postgres/statistics.ts";
import { vectorSearch } from "./adapters/postgres/vector-search.ts";
import type { VectorStoreConfig } from "./config.ts";
import type { EmbeddingPort } from "./domain/ports.ts";
import { vectorStoreRoutes, type VectorStoreDeps } from "./rpc/routes.ts";

const NAME = "vector-store";

export interface App extends AsyncDisposable {
  readonly server: RpcServer;
  readonly ready: { grpcPort: number; httpPort: number };
}

/**
 * Everything that this service consists of, serving. Disposing of it drains the server first, and closes the database
 * and then what records metrics and spans last. Without the embedding service it serves what needs no text to be embedded.
 */
export async function createApp(
  config: VectorStoreConfig,
  overrides: { logger?: Logger; embedding?: EmbeddingPort } = {},
): Promise<App> {
  const logger = overrides.logger ?? createLogger({ component: NAME, level: config.LOG_LEVEL });
  await using opening = new AsyncDisposableStack();
  const metrics = opening.use(createMetrics({ component: NAME }));
  const tracing = opening.use(startTracing({ component: NAME, logger, ...tracingOptions(config) }));
  const db = opening.use(
    await openDatabase({ config, schema: DATABASE_SCHEMA, applicationName: `kindred-${NAME}`, logger }),
  );
  await prepareVector(db);
  observePool(metrics, () => db.poolStats());
  if (config.MIGRATE_ON_START) await migrate(db, { migrations });
  const store = opening.use(await openStore(db, { memoryBytes: buildMemory(config) }));
  const embedding =
    overrides.embedding ??
    embeddingClient(
      opening.use(
        openChannel({
          address: config.EMBEDDING_ADDRESS,
          maxMessageBytes: config.MAX_MESSAGE_BYTES,
          metrics,
        }),
      ).transport,
    );
  opening.use(
    startMetricsReporter({
      component: NAME,
      address: config.METRICS_ADDRESS,
      sampleEveryMs: config.METRICS_SAMPLE_INTERVAL,
      activeConnections: () => db.poolStats().total,
      logger,
    }),
  );
  const server = opening.use(
    await serve({ config, routes: vectorStoreRoutes({ ...store, embedding }), logger, metrics, tracing }),
  );
  opening.use(followReadiness({ server, probe: () => db.query("SELECT 1"), logger }));
  const open = opening.move();
  return {
    server,
    ready: { grpcPort: server.grpcPort, httpPort: server.httpPort },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

export interface Store extends Omit<VectorStoreDeps, "embedding">, AsyncDisposable {
  /** For who changes the catalogue by other ways than this: what was cached of it is read again. */
  forgetState(): void;
}

/** What the RPCs need of a database that is migrated. The database stays the caller's. */
export async function openStore(db: Database, options: { memoryBytes: number }): Promise<Store> {
  await using opening = new AsyncDisposableStack();
  const dataSource = opening.adopt(await openDataSource(db, { entities, migrations }), (opened) =>
    opened.destroy(),
  );
  const state = catalogueState(db, dataSource);
  const indexes = opening.use(new IndexBuilder({ db, state, memoryBytes: options.memoryBytes }));
  const collections = collectionRepository(db, dataSource);
  const open = opening.move();
  return {
    images: imageRepository(db, dataSource),
    catalogue: { ...catalogueWriter(db), ...vectorSearch(db, state) },
    indexes,
    statistics: statisticsReader(db),
    collections,
    forgetState: () => {
      state.forget();
      collections.forget();
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** The database is taken to run where this process does, which leaves it and everybody else three quarters. */
function buildMemory(config: VectorStoreConfig): number {
  return config.INDEX_BUILD_MEMORY ?? Math.floor(memoryLimit().bytes / 4);
}
