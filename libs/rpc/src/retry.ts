import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { createContextKey, type ContextValues } from "@connectrpc/connect";
import { isKindredError, type KindredError } from "@kindred/errors";

export interface RetryPolicy {
  /** Calls in all, the first one included. */
  attempts: number;
  /** Longest pause before the second call; doubles with each further one. */
  initialBackoffMs: number;
  maxBackoffMs: number;
}

/** Rides out the restart of a peer: the pauses sum up to 7 s on average, 14 s at most, if the deadline allows it. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 9, initialBackoffMs: 100, maxBackoffMs: 4_000 };

/**
 * Set it on a write that carries an idempotency key, and it is retried as reads are:
 * `contextValues: createContextValues().set(retryable, true)`.
 */
export const retryable = createContextKey(false, { description: "this write may be sent again" });

/** Whether sending the call again can do no harm: it only reads, or the caller said so. */
export function mayRetry(method: DescMethod, values: ContextValues | undefined): boolean {
  return method.idempotency === IdempotencyLevel.NO_SIDE_EFFECTS || values?.get(retryable) === true;
}

/**
 * Milliseconds to wait before attempt number `attempt` (the second is 2), or undefined when the error stands: any kind but
 * "unavailable" is an answer. Exponential backoff with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), after what the peer asked for.
 */
export function retryDelay(
  policy: RetryPolicy,
  attempt: number,
  error: KindredError,
  random: () => number = Math.random,
): number | undefined {
  if (error.kind !== "unavailable" || attempt > policy.attempts) return undefined;
  const ceiling = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (attempt - 2));
  return (error.retryAfterMs ?? 0) + random() * ceiling;
}

/**
 * Calls `once` until it gives a value, an error that stands, or the pause would outlast the deadline: then the last
 * error is thrown, which says more than a deadline that has passed.
 * @param deadline milliseconds since the epoch, or Infinity.
 */
export async function withRetry<T>(
  once: () => Promise<T>,
  options: {
    policy: RetryPolicy;
    deadline: number;
    signal: AbortSignal | undefined;
    onRetry?: (error: KindredError, attempt: number, delayMs: number) => void;
  },
): Promise<T> {
  for (let attempt = 2; ; attempt++) {
    try {
      return await once();
    } catch (error) {
      const delayMs = isKindredError(error) ? retryDelay(options.policy, attempt, error) : undefined;
      if (delayMs === undefined || Date.now() + delayMs >= options.deadline) throw error;
      options.onRetry?.(error as KindredError, attempt, delayMs);
      await pause(delayMs, options.signal);
    }
  }
}

/** Ends early when the signal aborts: the next attempt then says so. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}
