import type { TokenBatch } from "../../domain/inference.ts";
import type { SessionOptions } from "./session.ts";

/** What a worker is started with. */
export interface WorkerSettings {
  readonly session: SessionOptions;
  /** Run once before the worker is ready: first runs pack weights and allocate. */
  readonly warmUp: TokenBatch;
}

/** To a worker. Batches are copied, a few KiB each: a batch whose worker dies is run again elsewhere. */
export interface RunMessage {
  readonly batch: TokenBatch;
}

/** From a worker; the vectors' buffer is handed over, not copied. */
export type WorkerMessage =
  | { readonly type: "ready" }
  | { readonly type: "unusable"; readonly reason: string }
  | { readonly type: "done"; readonly vectors: Float32Array<ArrayBuffer>; readonly inferenceMs: number }
  | { readonly type: "failed"; readonly reason: string };
