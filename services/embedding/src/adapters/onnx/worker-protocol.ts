import type { TokenBatch } from "../../domain/inference.ts";
import type { SessionOptions } from "./session.ts";

/** What a worker is started with. */
export interface WorkerSettings {
  readonly session: SessionOptions;
  /** Run once before the worker is ready: first runs pack weights and allocate. */
  readonly warmUp: TokenBatch;
  /**
   * Added to the thread's niceness, 0 to 19, where the system can set it for one thread (Linux): work that nobody waits for then
   * gives way to work that somebody does, which a core gets within a moment.
   */
  readonly niceness: number;
}

/** Why a batch failed: the model refuses it, memory ran out (a smaller one may fit), or the session is of no use any more. */
export type FailureKind = "refused" | "out-of-memory" | "session-broken";

/** To a worker. Batches are copied, a few KiB each: a batch whose worker dies is run again elsewhere. */
export interface RunMessage {
  readonly batch: TokenBatch;
}

/** From a worker; the vectors' buffer is handed over, not copied. */
export type WorkerMessage =
  | { readonly type: "ready" }
  | { readonly type: "unusable"; readonly reason: string }
  | { readonly type: "done"; readonly vectors: Float32Array<ArrayBuffer>; readonly inferenceMs: number }
  | { readonly type: "failed"; readonly kind: FailureKind; readonly reason: string };
