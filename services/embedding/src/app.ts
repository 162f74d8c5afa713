import { KindredError } from "@kindred/errors";
import { serve, type RpcServer } from "@kindred/rpc";
import { cpuLimit, createLogger, type Logger } from "@kindred/telemetry";
import { startInference, THREADS_PER_WORKER } from "./adapters/onnx/start-inference.ts";
import { openTokenizer } from "./adapters/tokenizer/huggingface.ts";
import type { EmbeddingConfig } from "./config.ts";
import { createEmbedder } from "./domain/embedder.ts";
import { localSpace } from "./domain/embedding-space.ts";
import { MINILM } from "./domain/model.ts";
import type { ModelProgress } from "./domain/model-files.ts";
import { Scheduler } from "./domain/scheduler.ts";
import type { ServedModel } from "./domain/served-model.ts";
import { prepareModel } from "./prepare-model.ts";
import { embeddingRoutes } from "./rpc/routes.ts";
import { throttleProgress } from "./throttle-progress.ts";

export interface App extends AsyncDisposable {
  readonly server: RpcServer;
  readonly ready: { grpcPort: number; httpPort: number };
}

/** What starting a batch costs, in tokens of time; measured: a batch of one token takes as long as some 16 more tokens do. */
const BATCH_OVERHEAD_TOKENS = 16;

/** Loads the model and starts its workers; they end when `stack` is disposed of. */
async function openModel(
  config: EmbeddingConfig,
  deps: {
    logger: Logger;
    stack: AsyncDisposableStack;
    onAvailable: (available: boolean) => void;
    onProgress: (progress: ModelProgress) => void;
  },
): Promise<ServedModel> {
  const { logger, stack, onAvailable, onProgress } = deps;
  const prepared = await prepareModel(config, onProgress, logger);
  const { architecture, weights } = MINILM;
  const tokenizer = await openTokenizer(prepared.tokenizerPath);
  const { pool, choice } = await startInference({
    modelPath: prepared.modelPath,
    workers: config.EMBEDDING_WORKERS ?? Math.max(1, Math.floor(cpuLimit().cores / THREADS_PER_WORKER)),
    requested: config.EMBEDDING_PROVIDER,
    requireCuda: config.REQUIRE_CUDA,
    logger,
    onAvailable,
  });
  stack.use(pool);
  const scheduler = new Scheduler({
    inference: pool,
    dimensions: architecture.hidden,
    maxTokens: architecture.maxTokens,
    batches: { budget: config.EMBEDDING_MAX_BATCH_TOKENS, overhead: BATCH_OVERHEAD_TOKENS },
    maxQueueTokens: config.EMBEDDING_MAX_QUEUE_TOKENS,
  });
  return {
    embedder: createEmbedder({ space: localSpace(MINILM), tokenizer, scheduler }),
    precision: config.EMBEDDING_PRECISION,
    requestedProvider: config.EMBEDDING_PROVIDER,
    effectiveProvider: choice.provider,
    providerReason: choice.reason,
    workers: pool.concurrency,
    threadsPerWorker: THREADS_PER_WORKER,
    source: prepared.source,
    weightsSha256: weights.sha256,
    maxBatchTokens: config.EMBEDDING_MAX_BATCH_TOKENS,
    maxQueueTokens: config.EMBEDDING_MAX_QUEUE_TOKENS,
  };
}

/**
 * Starts the service. The ports open at once, with health NOT_SERVING, so that a startup probe sees the process live while
 * the model is obtained; resolves when the model is warm and health is SERVING. Disposing drains the server, then ends the workers.
 */
export async function createApp(config: EmbeddingConfig): Promise<App> {
  const logger = createLogger({ component: "embedding", level: config.LOG_LEVEL });
  await using starting = new AsyncDisposableStack();
  let served: ServedModel | undefined;
  let doing = "starting";
  const routes = embeddingRoutes(() => {
    if (served === undefined) {
      throw new KindredError("unavailable", `the embedding model is not ready yet (${doing})`, {
        retryAfterMs: 1000,
      });
    }
    return served;
  });

  // The server is disposed of first: what it still has to finish needs the workers.
  const workers = starting.use(new AsyncDisposableStack());
  const server = starting.use(await serve({ config, routes, logger }));
  served = await openModel(config, {
    logger,
    stack: workers,
    onAvailable: (available) => {
      // At first the pool is there before all of the model is.
      if (served !== undefined) server.setServing(available);
    },
    onProgress: throttleProgress((progress) => {
      const percent = Math.floor((100 * progress.done) / progress.total);
      doing = `${progress.phase} ${percent} %, source: ${progress.source}`;
      logger.debug(progress, "preparing the model");
    }),
  });
  server.setServing(true);
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
