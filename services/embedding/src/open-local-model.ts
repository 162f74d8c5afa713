import { cpuLimit, type Logger } from "@kindred/telemetry";
import { startInference, THREADS_PER_WORKER } from "./adapters/onnx/start-inference.ts";
import { openTokenizer } from "./adapters/tokenizer/huggingface.ts";
import type { EmbeddingConfig } from "./config.ts";
import type { RequestedPrecision } from "./domain/choose-precision.ts";
import { localSpace } from "./domain/embedding-space.ts";
import type { InferencePort } from "./domain/inference.ts";
import { createLocalEmbedder, type LocalEmbedder } from "./domain/local-embedder.ts";
import type { LocalModelSpec } from "./domain/model.ts";
import type { OnProgress } from "./domain/model-files.ts";
import type { LoadedModel } from "./domain/model-registry.ts";
import type { Precision } from "./domain/precision.ts";
import { Scheduler, type FinishedBatch } from "./domain/scheduler.ts";
import type { ServedModel } from "./domain/served-model.ts";
import type { TokenizerPort } from "./domain/tokenization.ts";
import { prepareModel, type PreparedModel } from "./prepare-model.ts";

/** A model of this service's own with its warm workers; disposing of it ends them. */
export interface LocalModel extends LoadedModel {
  readonly served: ServedModel & {
    readonly embedder: LocalEmbedder;
    readonly local: NonNullable<ServedModel["local"]>;
  };
  /** The parts below the embedder, for measuring what is added above them. */
  readonly tokenizer: TokenizerPort;
  readonly inference: InferencePort;
  readonly scheduler: Scheduler;
}

export interface OpenLocalModelDeps {
  readonly logger: Logger;
  /** Tells whether any worker is there to run batches. */
  readonly onAvailable?: (available: boolean) => void;
  readonly onProgress?: OnProgress;
  readonly onBatch?: (batch: FinishedBatch) => void;
  /** Asks for the model's memory before its workers are started; rejects when there is none. */
  readonly reserve?: (bytes: number) => Promise<void>;
}

/**
 * What starting a batch costs, in tokens of time. Measured, from one text of three tokens: 2.4 ms in float32, as long as ten more
 * tokens take; in int8 0.3 ms and the messages around it, as long as six.
 */
const BATCH_OVERHEAD_TOKENS = 8;

/**
 * Measured on the CPU with all-MiniLM-L6-v2: 256 tokens are as fast as any number (fp32 222 us a token, int8 85; at 768, 229 and
 * 89), and a worker is free again the sooner. A GPU is busy only with many more.
 */
const BATCH_TOKENS = { cpu: 256, cuda: 16_384 };

/** Obtains, compiles and loads a model, and starts its workers. */
export async function openLocalModel(
  spec: LocalModelSpec,
  config: EmbeddingConfig,
  deps: OpenLocalModelDeps,
): Promise<LocalModel> {
  const { logger, onAvailable = () => undefined, onProgress = () => undefined, reserve } = deps;
  const workers = config.EMBEDDING_WORKERS ?? Math.max(1, Math.floor(cpuLimit().cores / THREADS_PER_WORKER));
  const expressWorker = config.EMBEDDING_EXPRESS_WORKER;
  const precision: RequestedPrecision = spec.precision ?? config.EMBEDDING_PRECISION;
  let prepared: PreparedModel | undefined;
  const compiled = async (chosen: Precision): Promise<string> => {
    prepared = await prepareModel(spec, { config, precision: chosen, onProgress, logger });
    // Each session packs the weights for itself, and its intermediate results are about as large; the file is shared. Measured with
    // all-MiniLM-L6-v2 in fp32: 90 MB of file, 370 MB resident with two sessions, of which 110 MB are the process without a model.
    await reserve?.(prepared.modelBytes * (1 + workers + (expressWorker ? 1 : 0)));
    return prepared.modelPath;
  };
  const inference = await startInference({
    compiled,
    precision,
    workers,
    expressWorker,
    requested: config.EMBEDDING_PROVIDER,
    requireCuda: config.REQUIRE_CUDA,
    logger,
    onAvailable,
  });
  const { description, modelPath, modelBytes, tokenizerPath, source } = prepared as unknown as PreparedModel;
  const { architecture } = description;
  const tokenizer = await openTokenizer(tokenizerPath);
  const maxBatchTokens = config.EMBEDDING_MAX_BATCH_TOKENS ?? BATCH_TOKENS[inference.choice.provider];
  const scheduler = new Scheduler({
    inference: inference.shared,
    express: inference.express,
    dimensions: architecture.hidden,
    maxTokens: architecture.maxTokens,
    batches: { budget: maxBatchTokens, overhead: BATCH_OVERHEAD_TOKENS },
    maxQueueTokens: config.EMBEDDING_MAX_QUEUE_TOKENS,
    onBatch: deps.onBatch,
  });
  const embedder = createLocalEmbedder({
    space: localSpace(description),
    tokenizer,
    scheduler,
    vocabulary: architecture.vocabulary,
  });
  return {
    served: {
      embedder,
      tokens: embedder,
      local: {
        precision: inference.precision,
        requestedProvider: config.EMBEDDING_PROVIDER,
        effectiveProvider: inference.choice.provider,
        providerReason: inference.choice.reason,
        workers: inference.sessions,
        threadsPerWorker: THREADS_PER_WORKER,
        weightsSha256: description.weights.sha256,
        maxBatchTokens,
      },
      shortenable: spec.matryoshka ?? false,
      source,
      maxQueueTokens: config.EMBEDDING_MAX_QUEUE_TOKENS,
    },
    cache: { path: modelPath, bytes: modelBytes },
    tokenizer,
    inference: inference.shared,
    scheduler,
    [Symbol.asyncDispose]: () => inference[Symbol.asyncDispose](),
  };
}
