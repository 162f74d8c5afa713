import type { Clock } from "./clock.ts";

export interface RetryBudgetOptions {
  readonly clock: Clock;
  /** Retries earned by each request. */
  readonly ratio?: number | undefined;
  /** Retries earned by a minute, so that who asks rarely may retry too. */
  readonly perMinute?: number | undefined;
  /** Retries that there are at first, and most that are saved up. */
  readonly reserve?: number | undefined;
}

const MINUTE_MS = 60_000;

/**
 * How many retries a provider may be asked for, over all calls: a share of the requests and a few more. When everything fails,
 * retries stay a fifth of the load instead of multiplying it. After Finagle's RetryBudget (20 % and 10 a second there) and
 * gRPC's retry throttling (gRFC A6).
 */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #ratio: number;
  readonly #perMinute: number;
  readonly #reserve: number;
  #balance: number;
  #countedAt: number;

  constructor({ clock, ratio = 0.2, perMinute = 10, reserve = 10 }: RetryBudgetOptions) {
    this.#clock = clock;
    this.#ratio = ratio;
    this.#perMinute = perMinute;
    this.#reserve = reserve;
    this.#balance = reserve;
    this.#countedAt = clock.now();
  }

  /** A request is made that is no retry. */
  earn(): void {
    this.#add(this.#ratio);
  }

  /** Whether there is a retry left; takes it. */
  spend(): boolean {
    const now = this.#clock.now();
    this.#add(((now - this.#countedAt) * this.#perMinute) / MINUTE_MS);
    this.#countedAt = now;
    if (this.#balance < 1) return false;
    this.#balance -= 1;
    return true;
  }

  #add(amount: number): void {
    this.#balance = Math.min(this.#reserve, this.#balance + amount);
  }
}
