import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError, createContextKey, type ContextValues } from "@connectrpc/connect";
import { RetryInfoSchema } from "@kindred/contracts/google-rpc";

export interface RetryPolicy {
  /** Calls in all, the first one included. */
  attempts: number;
  /** Longest pause before the second call; doubles with each further one. */
  initialBackoffMs: number;
  maxBackoffMs: number;
}

/** Rides out the restart of a peer: some ten seconds, if the deadline allows it. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 8, initialBackoffMs: 50, maxBackoffMs: 3_000 };

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
 * How long to wait before attempt number `attempt` (the second is 2), or undefined when the error stands: any code other than
 * UNAVAILABLE is an answer. Exponential backoff with full jitter, at least what the peer asked for.
 */
export function retryDelay(
  policy: RetryPolicy,
  attempt: number,
  error: ConnectError,
  random: () => number = Math.random,
): number | undefined {
  if (error.code !== Code.Unavailable || attempt > policy.attempts) return undefined;
  const asked = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const askedMs = asked === undefined ? 0 : Number(asked.seconds) * 1000 + asked.nanos / 1e6;
  const ceiling = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (attempt - 2));
  return Math.max(askedMs, random() * ceiling);
}
