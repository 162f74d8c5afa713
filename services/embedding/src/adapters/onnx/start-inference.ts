import { KindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import type { InferencePort } from "../../domain/inference.ts";
import { precisionOn, type RequestedPrecision } from "../../domain/choose-precision.ts";
import type { Precision } from "../../domain/precision.ts";
import {
  cudaObstacle,
  providersToTry,
  type ExecutionProvider,
  type ProviderChoice,
  type RequestedProvider,
} from "./execution-provider.ts";
import { startInferenceWorker, WorkerUnusable, type InferenceWorker } from "./inference-worker.ts";
import type { WorkerSettings } from "./worker-protocol.ts";
import { WorkerPool } from "./worker-pool.ts";

export interface InferenceOptions {
  /** Gives the path of the model, compiled in a precision. */
  readonly compiled: (precision: Precision) => Promise<string>;
  readonly precision: RequestedPrecision;
  /** Threads for work of both priorities. */
  readonly workers: number;
  /** Whether there is one more thread, for interactive work alone. */
  readonly expressWorker: boolean;
  readonly requested: RequestedProvider;
  readonly requireCuda: boolean;
  readonly logger: Logger;
  readonly onAvailable: (available: boolean) => void;
}

/** Warm workers. Disposing of it ends them; batches that still run are lost. */
export interface Inference extends AsyncDisposable {
  readonly shared: InferencePort;
  /** Only ever busy with interactive work; undefined where there is none. */
  readonly express: InferencePort | undefined;
  readonly choice: ProviderChoice;
  readonly precision: Precision;
  /** Sessions that hold the model, on all threads together. */
  readonly sessions: number;
}

/** What tests put in the place of this machine's GPU and of threads. */
export interface Parts {
  /** Why CUDA cannot be tried here, or undefined when it can. */
  readonly cudaObstacle: () => string | undefined;
  readonly startWorker: (settings: WorkerSettings) => Promise<InferenceWorker>;
}

/** One batch thread: the cores are used by as many workers, which scales better than threads inside of a batch. */
export const THREADS_PER_WORKER = 1;

/**
 * How much nicer the shared workers are than the express worker and the thread that serves calls. At 10, Linux gives a thread of the
 * usual niceness nine times the time of such a one where both want a core (sched(7): a factor of 1.25 a step).
 */
const SHARED_NICENESS = 10;

/** Any token will do, and every vocabulary has the first: first runs pack weights and allocate memory. */
const WARM_UP = { ids: new Int32Array(3), lengths: Int32Array.of(3), rows: 1, columns: 3 };

/**
 * Starts warm workers on the best provider that works. Falling back from CUDA is logged and told in the choice.
 * @throws KindredError failed-precondition when CUDA is required and cannot be had, or when nothing runs the precision.
 */
export async function startInference(
  options: InferenceOptions,
  parts: Parts = { cudaObstacle, startWorker: startInferenceWorker },
): Promise<Inference> {
  const { logger, requested, requireCuda } = options;
  if (requireCuda && requested === "cpu") {
    throw new KindredError("failed-precondition", "REQUIRE_CUDA is set, but EMBEDDING_PROVIDER is cpu");
  }
  // CUDA has no kernels for the 8-bit products: they would run on the CPU one by one, with copies between.
  const obstacle =
    options.precision === "int8" ? "the int8 model runs on the CPU only" : parts.cudaObstacle();
  const { candidates, reason: excluded } = providersToTry(requested, obstacle);
  let reason = excluded;
  for (const provider of candidates) {
    if (provider === "cpu" && requireCuda) break;
    if (provider === "cpu" && options.precision === "fp16") {
      throw new KindredError(
        "failed-precondition",
        `fp16 is for CUDA, and ${reason || "EMBEDDING_PROVIDER is cpu"}; choose fp32, int8 or auto`,
      );
    }
    const precision = precisionOn(provider, options.precision);
    const modelPath = await options.compiled(precision);
    try {
      const inference = await startWorkers(options, parts, provider, modelPath);
      if (requested === "cuda" && provider === "cpu") {
        logger.warn({ reason }, "the model runs on the CPU, not on CUDA");
      }
      return { ...inference, choice: { provider, reason }, precision };
    } catch (error) {
      if (provider === "cpu" || !(error instanceof WorkerUnusable)) throw error;
      reason = `CUDA could not be used: ${messageOf(error)}`;
    }
  }
  throw new KindredError("failed-precondition", `REQUIRE_CUDA is set, and ${reason}`);
}

async function startWorkers(
  options: InferenceOptions,
  { startWorker }: Parts,
  provider: ExecutionProvider,
  modelPath: string,
) {
  const { logger, onAvailable } = options;
  const session = { modelPath, provider, intraOpThreads: THREADS_PER_WORKER };
  // A GPU runs one batch at a time; more sessions would only take its memory.
  const size = provider === "cuda" ? 1 : options.workers;
  const withExpress = options.expressWorker && provider === "cpu";
  const settings = (niceness: number) => ({ session, warmUp: WARM_UP, niceness });

  await using starting = new AsyncDisposableStack();
  const shared = starting.use(
    await WorkerPool.start({
      size,
      start: () => startWorker(settings(withExpress ? SHARED_NICENESS : 0)),
      logger,
      onAvailable,
    }),
  );
  const express = withExpress
    ? starting.use(await WorkerPool.start({ size: 1, start: () => startWorker(settings(0)), logger }))
    : undefined;
  const running = starting.move();
  return {
    shared,
    express,
    sessions: size + (express === undefined ? 0 : 1),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
