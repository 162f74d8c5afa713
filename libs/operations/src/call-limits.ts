import type { CallLimits } from "./operation.ts";

/** Timers take no longer ones: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** The limits of what begins now and has several steps: each call of the result gives what is left, in whole milliseconds. */
export function countDown({ signal, timeoutMs }: CallLimits): () => CallLimits {
  if (timeoutMs === undefined) return () => ({ signal });
  const deadline = performance.now() + timeoutMs;
  // 0 would mean "without limit".
  return () => ({
    signal,
    timeoutMs: Math.min(LONGEST_MS, Math.max(1, Math.ceil(deadline - performance.now()))),
  });
}
