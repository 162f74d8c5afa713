import { Worker } from "node:worker_threads";
import { setNativeVariable } from "@kindred/config";
import { KindredError, messageOf } from "@kindred/errors";
import type { BatchResult, TokenBatch } from "../../domain/inference.ts";
import type { RunMessage, WorkerMessage, WorkerSettings } from "./worker-protocol.ts";

/** The thread ended under a batch. Running the batch again elsewhere may succeed. */
export class WorkerLost extends Error {
  override readonly name = "WorkerLost";
}

/** The worker could not load the model; another one with the same settings could not either. */
export class WorkerUnusable extends Error {
  override readonly name = "WorkerUnusable";
}

/** Memory did not suffice for the batch; a smaller one may fit. */
export class OutOfMemory extends Error {
  override readonly name = "OutOfMemory";
}

/** A thread with a warm session. */
export interface InferenceWorker extends AsyncDisposable {
  /**
   * One batch at a time. Rejects with WorkerLost when the thread ends, with OutOfMemory, or with a KindredError when the model
   * refuses the batch.
   */
  run(batch: TokenBatch): Promise<BatchResult>;
  /** Resolves when the thread has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

/**
 * A thread's own heap holds a batch of ids and its vectors. Left alone it would put off collecting them until it has grown to tens of
 * megabytes; the model itself is not in it.
 */
const HEAP = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 };

function failureOf(kind: "refused" | "out-of-memory", reason: string): Error {
  if (kind === "out-of-memory") return new OutOfMemory(reason);
  return new KindredError("internal", `the model could not run a batch: ${reason}`);
}

/** Starts a thread and waits until its session is warm. Rejects with WorkerUnusable or WorkerLost. */
export async function startInferenceWorker(
  settings: WorkerSettings,
  entry: URL = new URL("./worker.ts", import.meta.url),
): Promise<InferenceWorker> {
  // onnxruntime reports usage to its makers by default; what people embed is nobody's business, nor that they do.
  setNativeVariable("ORT_DISABLE_TELEMETRY", "1");
  const thread = new Worker(entry, { workerData: settings, name: "inference", resourceLimits: HEAP });
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  let pending: PromiseWithResolvers<BatchResult> | undefined;
  let crash: unknown;

  thread.on("message", (message: WorkerMessage) => {
    switch (message.type) {
      case "ready":
        started.resolve();
        break;
      case "unusable":
        started.reject(new WorkerUnusable(message.reason));
        break;
      case "done":
        pending?.resolve({ vectors: message.vectors, inferenceMs: message.inferenceMs });
        break;
      case "failed":
        if (message.kind === "session-broken") {
          crash = new Error(message.reason);
          void thread.terminate();
        } else pending?.reject(failureOf(message.kind, message.reason));
        break;
    }
  });
  thread.on("error", (error) => {
    crash = error;
  });
  thread.on("exit", (code) => {
    const lost = new WorkerLost(
      crash === undefined ? `the inference thread ended with code ${code}` : messageOf(crash),
    );
    started.reject(lost);
    pending?.reject(lost);
    ended.resolve();
  });

  // onnxruntime cannot be interrupted: a thread that is ended during a run takes the whole process with it when that returns.
  const stop = async () => {
    await pending?.promise.catch(() => undefined);
    await thread.terminate();
    await ended.promise;
  };
  try {
    await started.promise;
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ended: ended.promise,
    run: async (batch) => {
      if (pending !== undefined) throw new Error("the worker is busy");
      pending = Promise.withResolvers();
      try {
        const message: RunMessage = { batch };
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
        thread.postMessage(message);
        return await pending.promise;
      } finally {
        pending = undefined;
      }
    },
    [Symbol.asyncDispose]: stop,
  };
}
