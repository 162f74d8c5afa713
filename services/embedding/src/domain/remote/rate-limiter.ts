import { KindredError } from "@kindred/errors";
import type { Priority } from "../embedder.ts";
import type { Clock } from "./clock.ts";
import type { ReportedLimits } from "./provider.ts";
import { requestRate, TokenBucket, tokenRate } from "./token-bucket.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface RateLimits {
  /** Requests a minute that the provider allows; undefined where nobody knows: then its 429s tell. */
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  /** Most requests in flight. */
  readonly maxConcurrency: number;
}

export interface RateLimiterOptions extends RateLimits {
  readonly clock: Clock;
  /** Through a longer pause nobody waits: who does is told when it ends. */
  readonly maxPauseMs?: number | undefined;
}

export interface AcquireOptions {
  readonly priority: Priority;
  /** Leaves the line. */
  readonly signal: AbortSignal;
  /** Place in the line, from `RateLimiter.ticket()`: what is tried again keeps its place. */
  readonly ticket: number;
}

/** Leave to make one request. */
export interface Grant {
  /** How long it was waited for. */
  readonly waitedMs: number;
  /**
   * The request is over, once. @param usedTokens what was charged for it; undefined leaves it at what was reserved.
   */
  settle(usedTokens?: number): void;
}

interface Waiter {
  readonly ticket: number;
  readonly tokens: number;
  readonly since: number;
  readonly granted: PromiseWithResolvers<Grant>;
}

const DEFAULT_MAX_PAUSE_MS = 60_000;
/** What interactive requests are to find in the buckets however much bulk work there is, as a share of what fits. */
const INTERACTIVE_RESERVE = 0.2;
/** While both wait, bulk work gets one for so many of interactive work, a fifth of all: it is slowed down, never stopped. */
const INTERACTIVE_PER_BULK = 4;
/** Weight of the newest request in the running mean of the throughput. */
const SMOOTHING = 0.1;
/** Assumed until something has been measured, tokens a millisecond and request. */
const INITIAL_THROUGHPUT = 5;
const MIN_RETRY_MS = 50;

/**
 * Lets the requests to one provider account start: so many at once, so many a minute, so many tokens a minute, none while it
 * asks for a pause. Shared by everything that uses the account. Within a priority it is first come, first served, and nobody is
 * overtaken because he asks for more; interactive requests go first, and bulk ones get a fifth while both wait.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #maxConcurrency: number;
  readonly #maxPauseMs: number;
  readonly #requests: TokenBucket | undefined;
  readonly #tokens: TokenBucket | undefined;
  readonly #waiting: Record<Priority, WaitingLine<Waiter>> = {
    interactive: new WaitingLine(),
    bulk: new WaitingLine(),
  };
  readonly #inFlight: Record<Priority, number> = { interactive: 0, bulk: 0 };
  #nextTicket = 0;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  /** Milliseconds of the whole allowance that bulk work has a right to before the next interactive request. */
  #bulkCredit = 0;
  /** Interactive requests since the last bulk one. */
  #interactiveInRow = 0;
  #lastBulkAt = Number.NEGATIVE_INFINITY;
  #throughput = INITIAL_THROUGHPUT;
  #callOffTimer: (() => void) | undefined;

  constructor(options: RateLimiterOptions) {
    const { clock, requestsPerMinute, tokensPerMinute } = options;
    this.#clock = clock;
    this.#maxConcurrency = options.maxConcurrency;
    this.#maxPauseMs = options.maxPauseMs ?? DEFAULT_MAX_PAUSE_MS;
    const now = clock.now();
    if (requestsPerMinute !== undefined)
      this.#requests = new TokenBucket(requestRate(requestsPerMinute), now);
    if (tokensPerMinute !== undefined) this.#tokens = new TokenBucket(tokenRate(tokensPerMinute), now);
  }

  /** Most tokens that a request may have without making a debt; Infinity where tokens are not limited. */
  get tokenCapacity(): number {
    return this.#tokens?.capacity ?? Number.POSITIVE_INFINITY;
  }

  /** Tokens of a priority that wait. */
  queuedTokens(priority: Priority): number {
    return this.#waiting[priority].tokens;
  }

  /** How long the provider still wants to be left alone. */
  get pausedMs(): number {
    return Math.max(0, Math.ceil(this.#pausedUntil - this.#clock.now()));
  }

  /** The next place in the line. */
  ticket(): number {
    return this.#nextTicket++;
  }

  /**
   * Resolves when a request of so many tokens may start. One that is larger than what a minute's share allows at once starts when that
   * share is untouched. Rejects with the signal's reason as soon as that is aborted.
   * @throws KindredError resource-exhausted with the time to come back, when the provider asks for a pause that is too long to wait for.
   */
  acquire(tokens: number, { priority, signal, ticket }: AcquireOptions): Promise<Grant> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.pausedMs > this.#maxPauseMs) return Promise.reject(this.#tooLong());
    const waiter: Waiter = { ticket, tokens, since: this.#clock.now(), granted: Promise.withResolvers() };
    const line = this.#waiting[priority];
    line.add(waiter);
    const leave = (): void => {
      if (!line.remove(waiter)) return;
      waiter.granted.reject(signal.reason);
      this.#dispatch();
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#dispatch();
    return waiter.granted.promise.finally(() => signal.removeEventListener("abort", leave));
  }

  /** Nothing starts for so long; a pause that is under way is only ever prolonged. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock.now() + ms);
    if (this.pausedMs > this.#maxPauseMs) {
      for (const line of Object.values(this.#waiting)) {
        for (const waiter of line.clear()) waiter.granted.reject(this.#tooLong());
      }
    }
    this.#dispatch();
  }

  /** Takes over what the provider says is left, where that is less: others may use the account too. */
  observe({ remainingRequests, remainingTokens }: ReportedLimits): void {
    const now = this.#clock.now();
    if (remainingRequests !== undefined) this.#requests?.limitTo(remainingRequests, now);
    if (remainingTokens !== undefined) this.#tokens?.limitTo(remainingTokens, now);
    this.#dispatch();
  }

  /** About how long it takes until `tokens` of those that wait have started. */
  msToStart(tokens: number, priority: Priority): number {
    const { tokens: queued, length } = this.#waiting[priority];
    const requests = queued > 0 ? Math.ceil(length * Math.min(1, tokens / queued)) : 1;
    const now = this.#clock.now();
    const ms = Math.max(
      tokens / (this.#throughput * this.#maxConcurrency),
      flowMs(this.#tokens, tokens, now),
      flowMs(this.#requests, requests, now),
    );
    return Math.max(MIN_RETRY_MS, Math.ceil(this.pausedMs + ms));
  }

  #dispatch(): void {
    this.#callOffTimer?.();
    this.#callOffTimer = undefined;
    for (;;) {
      const turn = this.#nextTurn();
      if (turn === undefined) return;
      const waiter = this.#waiting[turn].first as Waiter;
      const waitMs = this.#msUntilReady(waiter, turn);
      if (waitMs > 0) {
        this.#callOffTimer = this.#clock.after(waitMs, () => this.#dispatch());
        return;
      }
      this.#grant(waiter, turn);
    }
  }

  /** Whose turn it is; undefined when nobody waits, or all places are taken. */
  #nextTurn(): Priority | undefined {
    const { interactive, bulk } = this.#waiting;
    const running = this.#inFlight.interactive + this.#inFlight.bulk;
    if (running >= this.#maxConcurrency) return undefined;
    // One place is kept free for interactive requests.
    const bulkMay = bulk.first !== undefined && this.#inFlight.bulk < Math.max(1, this.#maxConcurrency - 1);
    if (interactive.first === undefined) return bulkMay ? "bulk" : undefined;
    return bulkMay && this.#isBulkTurn(bulk.first) ? "bulk" : "interactive";
  }

  /**
   * Whether interactive work has had its share of the allowance; or, where it is not the allowance that is short but
   * places, of the requests, and bulk work has waited for as long as its share of the allowance takes to flow in.
   */
  #isBulkTurn(bulk: Waiter): boolean {
    const costMs = this.#costMs(bulk.tokens);
    if (this.#bulkCredit >= costMs) return true;
    const waitedMs = this.#clock.now() - Math.max(bulk.since, this.#lastBulkAt);
    return this.#interactiveInRow >= INTERACTIVE_PER_BULK && waitedMs >= (1 + INTERACTIVE_PER_BULK) * costMs;
  }

  #msUntilReady(waiter: Waiter, priority: Priority): number {
    const now = this.#clock.now();
    // Bulk work whose turn it is while interactive work waits need leave nothing for it.
    const reserve = priority === "bulk" && this.#waiting.interactive.length === 0 ? INTERACTIVE_RESERVE : 0;
    const until = (bucket: TokenBucket | undefined, amount: number): number =>
      bucket?.msUntil(amount + reserve * bucket.capacity, now) ?? 0;
    return Math.max(this.pausedMs, until(this.#requests, 1), until(this.#tokens, waiter.tokens));
  }

  #grant(waiter: Waiter, priority: Priority): void {
    const now = this.#clock.now();
    this.#waiting[priority].remove(waiter);
    this.#requests?.take(1, now);
    this.#tokens?.take(waiter.tokens, now);
    this.#inFlight[priority]++;
    this.#share(priority, this.#costMs(waiter.tokens));
    let settled = false;
    waiter.granted.resolve({
      waitedMs: now - waiter.since,
      settle: (usedTokens = waiter.tokens) => {
        if (settled) return;
        settled = true;
        const end = this.#clock.now();
        this.#inFlight[priority]--;
        this.#tokens?.correct(waiter.tokens - usedTokens, end);
        if (usedTokens > 0) this.#measure(usedTokens / Math.max(1, end - now));
        this.#dispatch();
      },
    });
  }

  #share(priority: Priority, costMs: number): void {
    if (priority === "bulk") {
      this.#bulkCredit = Math.max(0, this.#bulkCredit - costMs);
      this.#interactiveInRow = 0;
      this.#lastBulkAt = this.#clock.now();
    } else {
      this.#bulkCredit += costMs / INTERACTIVE_PER_BULK;
      this.#interactiveInRow++;
    }
    // Nothing is saved up for work that is yet to come.
    if (this.#waiting.bulk.length === 0) [this.#bulkCredit, this.#interactiveInRow] = [0, 0];
  }

  /** How long the whole allowance flows in for such a request; counts requests where nothing is limited. */
  #costMs(tokens: number): number {
    const requestMs = this.#requests === undefined ? 1 : 1 / this.#requests.perMs;
    return Math.max(requestMs, this.#tokens === undefined ? 0 : tokens / this.#tokens.perMs);
  }

  #measure(tokensPerMs: number): void {
    this.#throughput += SMOOTHING * (tokensPerMs - this.#throughput);
  }

  #tooLong(): KindredError {
    const retryAfterMs = this.pausedMs;
    return new KindredError(
      "resource-exhausted",
      `the provider asks for a pause of ${Math.ceil(retryAfterMs / 1000)} s`,
      { retryAfterMs },
    );
  }
}

/** How long it takes until so much has flowed in beyond what there is. */
function flowMs(bucket: TokenBucket | undefined, amount: number, now: number): number {
  return bucket === undefined ? 0 : Math.max(0, amount - bucket.level(now)) / bucket.perMs;
}
