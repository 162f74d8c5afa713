import { KindredError } from "@kindred/errors";
import { serve, startMetricsReporter, type RpcServer } from "@kindred/rpc";
import { createLogger, type Logger } from "@kindred/telemetry";
import type { EmbeddingConfig } from "./config.ts";
import { openModel, type OpenModel } from "./open-model.ts";
import { embeddingRoutes } from "./rpc/routes.ts";
import { throttleProgress } from "./throttle-progress.ts";

const NAME = "embedding";

export interface Overrides {
  readonly logger?: Logger;
}

export interface App extends AsyncDisposable {
  readonly server: RpcServer;
  readonly ready: { grpcPort: number; httpPort: number };
}

/**
 * Starts the service. The ports open at once, with health NOT_SERVING, so that a startup probe sees the process live while
 * the model is obtained; resolves when the model is warm and health is SERVING. Disposing drains the server, then ends the workers.
 */
export async function createApp(config: EmbeddingConfig, overrides: Overrides = {}): Promise<App> {
  const logger = overrides.logger ?? createLogger({ component: NAME, level: config.LOG_LEVEL });
  await using starting = new AsyncDisposableStack();
  // Deferred first, so that the server is disposed of before it: what that has to finish needs the workers.
  let model: OpenModel | undefined;
  starting.defer(async () => model?.[Symbol.asyncDispose]());
  let doing = "starting";
  const routes = embeddingRoutes(() => {
    if (model === undefined) {
      throw new KindredError("unavailable", `the embedding model is not ready yet (${doing})`, {
        retryAfterMs: 1000,
      });
    }
    return model.served;
  });

  starting.use(
    startMetricsReporter({
      component: NAME,
      address: config.METRICS_ADDRESS,
      sampleEveryMs: config.METRICS_SAMPLE_INTERVAL,
      logger,
    }),
  );
  const server = starting.use(await serve({ config, routes, logger }));
  model = await openModel(config, {
    logger,
    onAvailable: (available) => {
      // At first the pool is there before all of the model is.
      if (model !== undefined) server.setServing(available);
    },
    onProgress: throttleProgress((progress) => {
      const percent = Math.floor((100 * progress.done) / progress.total);
      doing = `${progress.phase} ${percent} %, source: ${progress.source}`;
      logger.debug(progress, "preparing the model");
    }),
  });
  server.setServing(true);
  const { served } = model;
  logger.info(
    {
      space: served.embedder.space.id,
      precision: served.precision,
      provider: served.effectiveProvider,
      workers: served.workers,
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
