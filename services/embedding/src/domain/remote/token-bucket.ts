/** What a bucket holds at most, and how fast it fills up. */
export interface BucketRate {
  readonly capacity: number;
  readonly perMs: number;
}

const MINUTE_MS = 60_000;
/** Share of a minute's allowance that may be used at once. */
const BURST = 0.1;

/**
 * A bucket that keeps whole requests below `limit` in every minute, not only on average: what it holds at once is taken off what
 * flows in. The `+ 1`: requests are whole, so that the one more of a full bucket falls behind the minute's end.
 */
export function requestRate(limit: number): BucketRate {
  const capacity = Math.max(1, Math.floor(limit * BURST));
  return { capacity, perMs: (limit + 1 - capacity) / MINUTE_MS };
}

/** The same for tokens, as long as no single request takes more than the bucket holds. */
export function tokenRate(limit: number): BucketRate {
  const capacity = limit * BURST;
  return { capacity, perMs: (limit - capacity) / MINUTE_MS };
}

/**
 * A token bucket. Full at first. What is larger than the bucket is let through when it is full, and leaves a debt that
 * has to flow in before anything else starts. Times are milliseconds of one clock that never goes back.
 */
export class TokenBucket {
  readonly #rate: BucketRate;
  #level: number;
  #filledAt: number;

  constructor(rate: BucketRate, now: number) {
    this.#rate = rate;
    this.#level = rate.capacity;
    this.#filledAt = now;
  }

  get capacity(): number {
    return this.#rate.capacity;
  }

  /** How fast it fills up, per millisecond. */
  get perMs(): number {
    return this.#rate.perMs;
  }

  /** What it holds; below zero is debt. */
  level(now: number): number {
    this.#fill(now);
    return this.#level;
  }

  /** Whole milliseconds until so much may be taken; 0 when it may be now. */
  msUntil(amount: number, now: number): number {
    const missing = Math.min(amount, this.#rate.capacity) - this.level(now);
    return missing <= 0 ? 0 : Math.ceil(missing / this.#rate.perMs);
  }

  take(amount: number, now: number): void {
    this.#fill(now);
    this.#level -= amount;
  }

  /** Puts back what was taken and not used; a negative amount is taken in addition. */
  correct(amount: number, now: number): void {
    this.#fill(now);
    this.#level = Math.min(this.#rate.capacity, this.#level + amount);
  }

  /** Lowers the level to what somebody who knows better says. */
  limitTo(amount: number, now: number): void {
    this.#fill(now);
    this.#level = Math.min(this.#level, amount);
  }

  #fill(now: number): void {
    const flowedIn = Math.max(0, now - this.#filledAt) * this.#rate.perMs;
    this.#level = Math.min(this.#rate.capacity, this.#level + flowedIn);
    this.#filledAt = Math.max(now, this.#filledAt);
  }
}
