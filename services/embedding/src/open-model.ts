import { cpuLimit, type Logger } from "@kindred/telemetry";
import { startInference, THREADS_PER_WORKER } from "./adapters/onnx/start-inference.ts";
import { openTokenizer } from "./adapters/tokenizer/huggingface.ts";
import type { EmbeddingConfig } from "./config.ts";
import { createLocalEmbedder } from "./domain/local-embedder.ts";
import { localSpace } from "./domain/embedding-space.ts";
import type { InferencePort } from "./domain/inference.ts";
import { MINILM } from "./domain/model.ts";
import type { OnProgress } from "./domain/model-files.ts";
import { Scheduler } from "./domain/scheduler.ts";
import type { ServedModel } from "./domain/served-model.ts";
import type { TokenizerPort } from "./domain/tokenization.ts";
import { prepareModel } from "./prepare-model.ts";

/** A model with its warm workers; disposing of it ends them. */
export interface OpenModel extends AsyncDisposable {
  readonly served: ServedModel;
  /** The parts below the scheduler, for measuring what is added above them. */
  readonly tokenizer: TokenizerPort;
  readonly inference: InferencePort;
}

/**
 * What starting a batch costs, in tokens of time. Measured, from one text of three tokens: 2.4 ms in float32, as long as ten more
 * tokens take; in int8 0.3 ms and the messages around it, as long as six.
 */
const BATCH_OVERHEAD_TOKENS = 8;

/** Obtains, compiles and loads the model, and starts its workers. */
export async function openModel(
  config: EmbeddingConfig,
  deps: { logger: Logger; onAvailable: (available: boolean) => void; onProgress: OnProgress },
): Promise<OpenModel> {
  const { logger, onAvailable, onProgress } = deps;
  const prepared = await prepareModel(config, onProgress, logger);
  const { architecture, weights } = MINILM;
  const tokenizer = await openTokenizer(prepared.tokenizerPath);
  const { pool, choice } = await startInference({
    modelPath: prepared.modelPath,
    precision: config.EMBEDDING_PRECISION,
    workers: config.EMBEDDING_WORKERS ?? Math.max(1, Math.floor(cpuLimit().cores / THREADS_PER_WORKER)),
    requested: config.EMBEDDING_PROVIDER,
    requireCuda: config.REQUIRE_CUDA,
    logger,
    onAvailable,
  });
  const scheduler = new Scheduler({
    inference: pool,
    dimensions: architecture.hidden,
    maxTokens: architecture.maxTokens,
    batches: { budget: config.EMBEDDING_MAX_BATCH_TOKENS, overhead: BATCH_OVERHEAD_TOKENS },
    maxQueueTokens: config.EMBEDDING_MAX_QUEUE_TOKENS,
  });
  return {
    served: {
      embedder: createLocalEmbedder({ space: localSpace(MINILM), tokenizer, scheduler }),
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
    },
    tokenizer,
    inference: pool,
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}
