import {
  serve,
  metricsReporterOptions,
  startMetricsReporter,
  startModelCacheReporter,
  tracingOptions,
  type RpcServer,
} from "@kindred/rpc";
import { createLogger, createMetrics, memoryLimit, startTracing, type Logger } from "@kindred/telemetry";
import { recentVectors } from "./adapters/recent-vectors.ts";
import { embeddingMetrics } from "./adapters/telemetry/embedding-metrics.ts";
import type { EmbeddingConfig } from "./config.ts";
import { Admission } from "./domain/admission.ts";
import { ModelRegistry } from "./domain/model-registry.ts";
import { modelEntries } from "./model-entries.ts";
import { openAiRoutes } from "./rpc/openai/routes.ts";
import { embeddingRoutes } from "./rpc/routes.ts";

const NAME = "embedding";
const MODEL_TYPE = "text-embedding";

export interface Overrides {
  readonly logger?: Logger;
}

export interface App extends AsyncDisposable {
  readonly server: RpcServer;
  readonly ready: { grpcPort: number; httpPort: number };
}

/**
 * Starts the service. The ports open at once, with health NOT_SERVING, so that a startup probe sees the process live while
 * the default model is obtained; resolves when that is warm and health is SERVING. Disposing drains the server, then ends the models,
 * and what records metrics and spans last.
 */
export async function createApp(config: EmbeddingConfig, overrides: Overrides = {}): Promise<App> {
  const logger = overrides.logger ?? createLogger({ component: NAME, level: config.LOG_LEVEL });
  await using starting = new AsyncDisposableStack();
  const metrics = starting.use(createMetrics({ component: NAME }));
  const tracing = starting.use(startTracing({ component: NAME, logger, ...tracingOptions(config) }));

  const cache = recentVectors(config.EMBEDDING_CACHE_BYTES);
  const admission = new Admission({ maxConcurrent: config.EMBEDDING_MAX_CONCURRENT_REQUESTS });
  const telemetry = embeddingMetrics(metrics, {
    cache: () => cache.size,
    inProgress: () => admission.inProgress,
  });
  let onDefaultAvailable = (_available: boolean): void => undefined;
  const registry = starting.use(
    new ModelRegistry({
      entries: modelEntries(config, {
        logger,
        cache,
        telemetry,
        onAvailable: (name, available) => {
          if (name === config.models[0]?.name) onDefaultAvailable(available);
        },
      }),
      memoryLimit: config.EMBEDDING_MEMORY_LIMIT ?? Math.floor(0.75 * memoryLimit().bytes),
    }),
  );

  starting.use(
    startMetricsReporter({
      component: NAME,
      address: config.METRICS_ADDRESS,
      ...metricsReporterOptions(config),
      logger,
    }),
  );
  const calls = { registry, admission, maxConcurrentRequests: config.EMBEDDING_MAX_CONCURRENT_REQUESTS };
  const server = starting.use(
    await serve({
      config,
      routes: embeddingRoutes(calls),
      httpRoutes: openAiRoutes(calls, {
        maxBodyBytes: config.MAX_MESSAGE_BYTES,
        onFault: (error) => logger.warn({ err: error }, "a request of the OpenAI API failed"),
      }),
      logger,
      metrics,
      tracing,
    }),
  );
  await registry.load("");
  onDefaultAvailable = (available) => server.setServing(available);
  server.setServing(true);
  const cacheReporter = starting.use(
    startModelCacheReporter({
      address: config.GENERATION_TRACKING_ADDRESS,
      read: () =>
        registry.list().flatMap(({ space, cache: files, requests, lastUsedAt }) =>
          space === undefined || files === undefined
            ? []
            : [
                {
                  modelType: MODEL_TYPE,
                  modelName: space.model,
                  cachePath: files.path,
                  sizeBytes: files.bytes,
                  lastAccessed: lastUsedAt,
                  accesses: requests,
                },
              ],
        ),
      logger,
    }),
  );
  cacheReporter.touch();
  const { name, space, served } = registry.overview("");
  logger.info(
    {
      model: name,
      space: space?.id,
      precision: served?.local?.precision,
      provider: served?.local?.effectiveProvider ?? "remote",
      workers: served?.local?.workers,
    },
    "the model is ready",
  );

  const running = starting.move();
  return {
    server,
    ready: { grpcPort: server.grpcPort, httpPort: server.httpPort },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
