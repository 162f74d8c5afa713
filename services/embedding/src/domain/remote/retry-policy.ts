import type { ProviderFailure } from "./provider.ts";
import type { RetryBudget } from "./retry-budget.ts";

export interface RetryPolicy {
  /** Most requests for the same texts. */
  readonly maxAttempts: number;
  /** Upper end of the first wait; doubled each time. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** A wait that the provider asks for is kept up to this; beyond it the caller is told instead. */
  readonly maxRetryAfterMs: number;
}

export const RETRY_POLICY: RetryPolicy = {
  maxAttempts: 5,
  baseMs: 500,
  maxMs: 20_000,
  maxRetryAfterMs: 60_000,
};

/** What becomes of a failed request. */
export type RetryDecision =
  /** Given up. */
  | { readonly kind: "fail" }
  /** Asked again after a wait of its own. */
  | { readonly kind: "retry"; readonly delayMs: number }
  /** Asked again; until then nobody asks this provider. */
  | { readonly kind: "pause"; readonly delayMs: number };

/** Other processes were given the same time to come back: a tenth more, 100 ms at least. */
const RETRY_AFTER_JITTER = 0.1;
const MIN_JITTER_MS = 100;

/**
 * Exponential backoff with full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 * @param failures how often it has failed, 1 or more.
 */
function backoff(policy: RetryPolicy, failures: number, random: () => number): number {
  return random() * Math.min(policy.maxMs, policy.baseMs * 2 ** (failures - 1));
}

/**
 * @param failures how often these texts have failed, this time included.
 * @param badAnswers how many of those were bad answers.
 */
export function decideRetry(
  failure: ProviderFailure,
  failures: number,
  badAnswers: number,
  deps: { policy: RetryPolicy; budget: RetryBudget; random: () => number },
): RetryDecision {
  const { policy, budget, random } = deps;
  const { kind, retryAfterMs } = failure;
  if (kind === "refused" || kind === "quota" || failures >= policy.maxAttempts) return { kind: "fail" };
  if (kind === "bad-answer" && badAnswers > 1) return { kind: "fail" };
  if (retryAfterMs !== undefined && retryAfterMs > policy.maxRetryAfterMs) return { kind: "fail" };
  // A limit that was hit is no fault that retries would make worse: they wait until the provider is ready.
  if (kind !== "rate-limited" && !budget.spend()) return { kind: "fail" };

  const own = backoff(policy, failures, random);
  if (retryAfterMs === undefined) {
    if (kind !== "rate-limited") return { kind: "retry", delayMs: own };
    return { kind: "pause", delayMs: Math.max(own, policy.baseMs / 2) };
  }
  const jitter = random() * Math.max(MIN_JITTER_MS, retryAfterMs * RETRY_AFTER_JITTER);
  // A provider that keeps saying "soon" is not asked at that rate for ever.
  return { kind: "pause", delayMs: Math.max(retryAfterMs + jitter, failures > 1 ? own : 0) };
}
