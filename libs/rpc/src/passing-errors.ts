import { isKindredError, type KindredError } from "@kindred/errors";

/** A service that is restarted, or whose queue is full, takes the same call a moment later. */
const PASSING = new Set(["unavailable", "resource-exhausted", "aborted", "deadline-exceeded"]);
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 4_000;
/** 2 to this power is more than the longest delay. */
const MOST_DOUBLINGS = 10;

/**
 * Whether the same call may work a moment later. An account that is used up is a provider's "resource-exhausted" without a time to come back: it
 * does not pass by itself.
 */
export function isPassing(error: unknown): error is KindredError {
  if (!isKindredError(error) || !PASSING.has(error.kind)) return false;
  const isUsedUp =
    error.kind === "resource-exhausted" &&
    error.retryAfterMs === undefined &&
    error.metadata["provider"] !== undefined;
  return !isUsedUp;
}

/** Milliseconds before the call after `attempt` (from 0): doubling, with jitter, and never less than the service asks for. */
export function delayBefore(attempt: number, error: unknown): number {
  const doubled = FIRST_DELAY_MS * 2 ** Math.min(attempt, MOST_DOUBLINGS);
  const delay = Math.min(doubled, LONGEST_DELAY_MS) * (0.5 + Math.random() / 2);
  return Math.max(delay, isKindredError(error) ? (error.retryAfterMs ?? 0) : 0);
}
