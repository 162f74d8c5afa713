import { isKindredError } from "@kindred/errors";
import { OperationRunner } from "@kindred/operations";
import {
  OperationChanges,
  operationClaims,
  operationStore,
  type PostgresOperationStore,
} from "@kindred/operations/postgres";
import { operationMetrics } from "@kindred/operations/telemetry";
import { migrate, openDatabase, openDataSource, type Database } from "@kindred/postgres";
import {
  followReadiness,
  metricsReporterOptions,
  openChannel,
  serve,
  startMetricsReporter,
  tracingOptions,
  type RpcServer,
} from "@kindred/rpc";
import {
  createLogger,
  cpuLimit,
  createMetrics,
  memoryLimit,
  observePool,
  startTracing,
  type Logger,
  type Metrics,
} from "@kindred/telemetry";
import { inProcessSearch } from "./adapters/in-process/in-process-search.ts";
import { embeddingClient } from "./adapters/peers/embedding-client.ts";
import { catalogueWriter } from "./adapters/postgres/catalogue-writer.ts";
import { collectionRepository } from "./adapters/postgres/collection-repository.ts";
import {
  itemsOfCurrent,
  onCurrentCollections,
  probeOfCurrent,
  searchOfCurrent,
  textsOfCurrent,
} from "./adapters/postgres/current-collections.ts";
import { usageReader } from "./adapters/postgres/database-usage.ts";
import { namingDocuments } from "./adapters/postgres/document-limit.ts";
import { entities } from "./adapters/postgres/entities.ts";
import { imageRepository } from "./adapters/postgres/image-repository.ts";
import { indexBuilding } from "./adapters/postgres/index-building/index-building.ts";
import { indexFacts } from "./adapters/postgres/index-facts.ts";
import { DATABASE_SCHEMA, migrations } from "./adapters/postgres/migrations.ts";
import { prepareVector } from "./adapters/postgres/require-vector.ts";
import { ReadReplicas } from "./adapters/postgres/read-replicas.ts";
import { itemSearch } from "./adapters/postgres/item-search.ts";
import { itemStore } from "./adapters/postgres/item-store.ts";
import { spaceMoves } from "./adapters/postgres/reembedding/space-moves.ts";
import { OPERATION_TABLE } from "./adapters/postgres/operation-table.ts";
import { recallProbe } from "./adapters/postgres/recall-probe.ts";
import { QueryRecorder } from "./adapters/postgres/recall-recorder.ts";
import { querySamples } from "./adapters/postgres/recall-samples.ts";
import { recallStore } from "./adapters/postgres/recall-store.ts";
import { statisticsReader } from "./adapters/postgres/statistics.ts";
import { searchStates } from "./adapters/postgres/search-state.ts";
import { textSearch } from "./adapters/postgres/text-search.ts";
import { observeReplicas } from "./adapters/telemetry/replica-metrics.ts";
import { recallMetrics } from "./adapters/telemetry/recall-metrics.ts";
import type { VectorStoreConfig } from "./config.ts";
import { COLLECTION } from "./domain/collection.ts";
import type { CatalogueWriter, EmbeddingPort } from "./domain/ports.ts";
import type { CollectionRepository, ItemStore } from "./domain/item-ports.ts";
import { buildIndexHandler } from "./domain/indexes/build-index.ts";
import { dropIndexHandler, rebuildIndexHandler } from "./domain/indexes/rebuild-index.ts";
import { keepReconciled } from "./domain/indexes/reconcile-indexes.ts";
import { indexAdvisor } from "./domain/indexes/index-advisor.ts";
import { IndexKeeper } from "./domain/indexes/index-keeper.ts";
import { indexPlanner } from "./domain/indexes/plan-index.ts";
import { OPERATION_TERMS, type OperationHandler, type OperationKind } from "./domain/operations/operation.ts";
import { measureRecall, oneAtATime } from "./domain/recall/measure-recall.ts";
import { recallTuner } from "./domain/recall/tune-index.ts";
import { recallTuningHandler } from "./domain/recall/tuning-operation.ts";
import { watchRecall } from "./domain/recall/watch-recall.ts";
import { reembedHandler } from "./domain/reembedding/reembed.ts";
import { searchByStorage } from "./domain/search/by-storage.ts";
import { vectorStoreRoutes, type VectorStoreDeps } from "./rpc/routes.ts";

const NAME = "vector-store";

/** Where the configuration does not say: searches of fewer rows are fast without an index. */
const MIN_ROWS = 10_000;

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
  overrides: { logger?: Logger; embedding?: EmbeddingPort; tuningMs?: number } = {},
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
  const replicas = config.READ_DATABASE_URL && opening.use(openReplicas(config, logger));
  if (replicas) observeReplicas(metrics, () => replicas.reports());
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
  const store = opening.use(
    await openStore(db, {
      memoryBytes: buildMemory(config),
      cacheBytes: config.SEARCH_CACHE_BYTES,
      recentQueries: config.RECALL_RECENT_QUERIES,
      ...(overrides.tuningMs !== undefined && { tuningMs: overrides.tuningMs }),
      minRows: config.INDEX_MIN_ROWS,
      maintenanceMs: config.INDEX_MAINTENANCE_INTERVAL,
      metrics,
      embedding,
    }),
  );
  opening.use(
    startMetricsReporter({
      component: NAME,
      address: config.METRICS_ADDRESS,
      ...metricsReporterOptions(config),
      activeConnections: () => db.poolStats().total,
      logger,
    }),
  );
  const server = opening.use(
    await serve({
      config,
      routes: vectorStoreRoutes({ ...store, embedding, replicas }),
      logger,
      metrics,
      tracing,
      onDrain: () => store.operations.endWatches(),
    }),
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
  recent: QueryRecorder;
  operations: PostgresOperationStore<OperationKind>;
  /** For who changes the catalogue by other ways than this: what was cached of it is read again. */
  forgetState(): void;
}

/** What the RPCs need of a database that is migrated. The database stays the caller's. */
export async function openStore(
  db: Database,
  options: {
    memoryBytes: number;
    cacheBytes: number;
    /** Below so many rows there is no index by itself; 10,000 where it is not given. */
    minRows?: number;
    /** How often indexes are looked after, in milliseconds; 0, or not given: never. */
    maintenanceMs?: number;
    recentQueries?: number;
    /** Longest time for tuning an index that was built, in milliseconds; five minutes where it is not given. */
    tuningMs?: number;
    metrics?: Metrics;
    /** Without it no collection is moved into another space. */
    embedding?: EmbeddingPort;
  },
): Promise<Store> {
  await using opening = new AsyncDisposableStack();
  const dataSource = opening.adopt(await openDataSource(db, { entities, migrations }), (opened) =>
    opened.destroy(),
  );
  const changes = opening.use(new OperationChanges(db));
  const operations = operationStore(db, OPERATION_TABLE, changes);
  opening.defer(() => operations.endWatches());
  const collections = collectionRepository(db, dataSource, (name, limits) =>
    operations.cancelAll(name, "its collection was deleted", limits),
  );
  const recall = recallStore(db, (measurement, event) => watchRecall({ log: db.logger }, measurement, event));
  if (options.metrics) recallMetrics(options.metrics, recall);
  const states = searchStates(db, recall);
  const onCurrent = onCurrentCollections(collections);
  const indexes = indexBuilding({ db, memoryBytes: options.memoryBytes, onChange: states.forget });
  const search = searchOfCurrent(
    searchByStorage({
      vectors: itemSearch(db, states),
      json: inProcessSearch(db, { cacheBytes: options.cacheBytes, states }),
    }),
    onCurrent,
  );
  const probe = probeOfCurrent(recallProbe(db, search), onCurrent);
  const recent = opening.use(new QueryRecorder(db, { keep: options.recentQueries ?? 0 }));
  const measuring = { probe, samples: querySamples(db), recall };
  const tuner = recallTuner(measuring);
  const looking = {
    facts: indexFacts(db),
    collections,
    indexes,
    recall,
    minRows: options.minRows ?? MIN_ROWS,
    memoryBytes: options.memoryBytes,
    cores: cpuLimit().cores,
  };
  const planner = indexPlanner(looking);
  const indexOperations = { collections, planner, indexes, search, tuner, tuningMs: options.tuningMs };
  // Each part of the store that works for long brings its handlers.
  const handlers: OperationHandler[] = [
    buildIndexHandler(indexOperations),
    rebuildIndexHandler(indexOperations),
    dropIndexHandler(indexOperations),
    recallTuningHandler({ collections, probe, tuner, onTuned: states.forget }),
  ];
  const items = itemsOfCurrent(namingDocuments(pinningItems(itemStore(db), collections), db), onCurrent);
  const moves = spaceMoves(db, collections);
  if (options.embedding) {
    const { embedding } = options;
    handlers.push(
      reembedHandler({ collections, moves, embedding, items, search, planner, building: indexes, tuner }),
    );
  }
  const runner = opening.use(
    new OperationRunner({
      terms: OPERATION_TERMS,
      claims: operationClaims(db, OPERATION_TABLE, changes),
      handlers,
      log: db.logger,
      observer: options.metrics && operationMetrics(options.metrics, "vector_store"),
    }),
  );
  opening.use(keepReconciled({ collections, indexes, log: db.logger }));
  changes.subscribe((id, wanted) => {
    if (wanted) runner.wanted(id);
  });
  const measure = oneAtATime((...measured) => measureRecall(measuring, ...measured));
  opening.use(
    new IndexKeeper({
      ...looking,
      operations,
      measureRecall: measure,
      log: db.logger,
      now: Date.now,
      everyMs: options.maintenanceMs ?? 0,
    }),
  );
  const open = opening.move();
  return {
    operations,
    images: imageRepository(db, dataSource),
    catalogue: pinningCatalogue(catalogueWriter(db), collections),
    items,
    search,
    recall,
    recallProbe: probe,
    measureRecall: measure,
    recent,
    texts: textsOfCurrent(textSearch(db), onCurrent),
    indexes,
    planner,
    advisor: indexAdvisor(looking),
    log: db.logger,
    statistics: statisticsReader(db),
    usage: usageReader(db),
    collections,
    moves,
    forgetState: () => {
      states.forget();
      collections.forget();
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** The first vectors pin a collection's space: who has stored some knows an older state of it. */
function pinningItems(items: ItemStore, collections: CollectionRepository): ItemStore {
  return {
    ...items,
    async store(prepared, limits) {
      const stored = await items.store(prepared, limits);
      if (prepared.space && !prepared.collection.space) collections.forget();
      return stored;
    },
  };
}

function pinningCatalogue(catalogue: CatalogueWriter, collections: CollectionRepository): CatalogueWriter {
  return {
    ...catalogue,
    async store(batch, limits) {
      try {
        const stored = await catalogue.store(batch, limits);
        if (batch.space && !(await collections.get(COLLECTION)).space) collections.forget();
        return stored;
      } catch (error) {
        // It may have moved into another space: whoever prepares the batch again should know.
        if (isKindredError(error) && error.kind === "aborted") collections.forget();
        throw error;
      }
    },
  };
}

/** Nobody waits for them: until they are known to be fresh the primary answers. */
function openReplicas(config: VectorStoreConfig, logger: Logger): ReadReplicas {
  const open = (url: string, use: "search" | "watch"): Promise<Database> =>
    openDatabase({
      config: {
        ...config,
        DATABASE_URL: url,
        ...(use === "watch" && { DB_POOL_SIZE: 1, DB_MAX_OVERFLOW: 0 }),
      },
      schema: DATABASE_SCHEMA,
      applicationName: `kindred-${NAME}-${use}`,
      logger,
      readOnly: true,
    });
  return new ReadReplicas({
    openPrimary: () => open(config.DATABASE_URL, "watch"),
    replicas: (config.READ_DATABASE_URL ?? []).map((url) => {
      const { host, pathname } = new URL(url);
      return { name: host + pathname, open: (use) => open(url, use) };
    }),
    searching: (db) => ({ search: itemSearch(db, searchStates(db)), texts: textSearch(db) }),
    maxStalenessMs: config.READ_MAX_STALENESS,
    logger,
  });
}

/** The database is taken to run where this process does, which leaves it and everybody else three quarters. */
function buildMemory(config: VectorStoreConfig): number {
  return config.INDEX_BUILD_MEMORY ?? Math.floor(memoryLimit().bytes / 4);
}
