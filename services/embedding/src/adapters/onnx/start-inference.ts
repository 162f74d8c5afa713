import { KindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import type { Precision } from "../../domain/precision.ts";
import {
  cudaObstacle,
  providersToTry,
  type ProviderChoice,
  type RequestedProvider,
} from "./execution-provider.ts";
import { startInferenceWorker, WorkerUnusable } from "./inference-worker.ts";
import type { WorkerSettings } from "./worker-protocol.ts";
import { WorkerPool } from "./worker-pool.ts";

export interface InferenceOptions {
  /** Path of the compiled model. */
  readonly modelPath: string;
  readonly precision: Precision;
  readonly workers: number;
  readonly requested: RequestedProvider;
  readonly requireCuda: boolean;
  readonly logger: Logger;
  readonly onAvailable: (available: boolean) => void;
}

/** One batch thread: the cores are used by as many workers, which scales better than threads inside of a batch. */
export const THREADS_PER_WORKER = 1;

/** Any text will do: first runs pack weights and allocate memory. */
const WARM_UP = { ids: Int32Array.of(101, 7592, 102), lengths: Int32Array.of(3), rows: 1, columns: 3 };

/**
 * Starts warm workers on the best provider that works. Falling back from CUDA is logged and told in the choice.
 * @throws KindredError failed-precondition when CUDA is required and cannot be had.
 */
export async function startInference(
  options: InferenceOptions,
): Promise<{ pool: WorkerPool; choice: ProviderChoice }> {
  const { logger, requested, requireCuda } = options;
  if (requireCuda && requested === "cpu") {
    throw new KindredError("failed-precondition", "REQUIRE_CUDA is set, but EMBEDDING_PROVIDER is cpu");
  }
  // CUDA has no kernels for the 8-bit products: they would run on the CPU one by one, with copies between.
  const obstacle = options.precision === "int8" ? "the int8 model runs on the CPU only" : cudaObstacle();
  const { candidates, reason: excluded } = providersToTry(requested, obstacle);
  let reason = excluded;
  for (const provider of candidates) {
    if (provider === "cpu" && requireCuda) break;
    const settings: WorkerSettings = {
      session: { modelPath: options.modelPath, provider, intraOpThreads: THREADS_PER_WORKER },
      warmUp: WARM_UP,
    };
    try {
      const pool = await WorkerPool.start({
        // A GPU runs one batch at a time; more sessions would only take its memory.
        size: provider === "cuda" ? 1 : options.workers,
        start: () => startInferenceWorker(settings),
        logger,
        onAvailable: options.onAvailable,
      });
      if (requested === "cuda" && provider === "cpu")
        logger.warn({ reason }, "the model runs on the CPU, not on CUDA");
      return { pool, choice: { provider, reason } };
    } catch (error) {
      if (provider === "cpu" || !(error instanceof WorkerUnusable)) throw error;
      reason = `CUDA could not be used: ${messageOf(error)}`;
    }
  }
  throw new KindredError("failed-precondition", `REQUIRE_CUDA is set, and ${reason}`);
}
