import { systemClock, type Clock } from "./clock.ts";
import { RateLimiter, type RateLimits } from "./rate-limiter.ts";
import { RetryBudget } from "./retry-budget.ts";

/** What all that use one account of a provider share: its limits, and how much may be tried again. */
export interface ProviderAccount {
  readonly limiter: RateLimiter;
  readonly budget: RetryBudget;
}

export function createProviderAccount(limits: RateLimits, clock: Clock = systemClock): ProviderAccount {
  return { limiter: new RateLimiter({ ...limits, clock }), budget: new RetryBudget({ clock }) };
}
