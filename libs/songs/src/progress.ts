import type { SongsCommand } from "./layout.ts";

/** The rate is that of the last minute or so: what an hour ago was slow says nothing about when it will be done. */
const RATE_WINDOW_MS = 60_000;
const SAMPLE_MS = 1_000;

/** How far a command is, at one moment. Counts are those of songs, unless they say otherwise. */
export interface ProgressSnapshot {
  command: SongsCommand;
  /** What it is at, e.g. "reading". */
  phase: string;
  /** Before this run and by it. */
  done: number;
  /** By this run. */
  doneNow: number;
  /** null while nobody knows. */
  total: number | null;
  /** Whether `total` is what PostgreSQL's planner thinks, and nothing that was counted. */
  totalIsEstimate: boolean;
  /** Left out: without lyrics. */
  skipped: number;
  /** Cut by the model, or before it. */
  truncated: number;
  /** Read or written, whichever the command is about. */
  bytes: number;
  /** By this run, as the model counted them. */
  tokens: number;
  /** null where no price is known. */
  cost: { soFar: number; estimatedTotal: number | null; currency: string } | null;
  /** Calls that were made again. */
  retries: number;
  /** Waits that a provider's limits asked for, and how long somebody was in one. */
  rateLimitWaits: number;
  rateLimitWaitMs: number;
  /** Why it stands still at the moment; null when it does not. */
  waiting: string | null;
  /** Of the last minute; null before anything was done. */
  perSecond: number | null;
  /** null where nothing can be foretold. */
  leftMs: number | null;
  elapsedMs: number;
}

export interface ProgressOptions {
  command: SongsCommand;
  phase: string;
  total?: number;
  totalIsEstimate?: boolean;
  /** Of a million tokens. */
  price?: { perMillionTokens: number; currency: string };
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
}

/** What is added to the counts; all default to 0. */
export interface ProgressStep {
  done?: number;
  skipped?: number;
  truncated?: number;
  bytes?: number;
  tokens?: number;
  retries?: number;
}

/** Counts what a command does; one for each run. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #counts = { done: 0, skipped: 0, truncated: 0, bytes: 0, tokens: 0, retries: 0 };
  readonly #samples: { at: number; done: number }[];
  readonly #waits = new Map<symbol, string>();
  #earlier = { done: 0, skipped: 0 };
  #phase: string;
  #total: number | undefined;
  #totalIsEstimate: boolean;
  #rateLimitWaits = 0;
  #limited = 0;
  #limitedSince = 0;
  #rateLimitWaitMs = 0;
  #waitedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#startedAt = this.#now();
    this.#samples = [{ at: this.#startedAt, done: 0 }];
    this.#phase = options.phase;
    this.#total = options.total;
    this.#totalIsEstimate = options.totalIsEstimate ?? false;
  }

  /** What it is at from now on. */
  phase(phase: string): void {
    this.#phase = phase;
  }

  /** What earlier runs did. */
  resumed(earlier: { done: number; skipped?: number }): void {
    this.#earlier = { done: earlier.done, skipped: earlier.skipped ?? 0 };
  }

  /** How much there is in all, what earlier runs did included. */
  total(total: number, options: { isEstimate?: boolean } = {}): void {
    this.#total = total;
    this.#totalIsEstimate = options.isEstimate ?? false;
  }

  add(step: ProgressStep): void {
    const counts = this.#counts;
    counts.done += step.done ?? 0;
    counts.skipped += step.skipped ?? 0;
    counts.truncated += step.truncated ?? 0;
    counts.bytes += step.bytes ?? 0;
    counts.tokens += step.tokens ?? 0;
    counts.retries += step.retries ?? 0;
    const at = this.#now();
    if (at - (this.#samples.at(-1)?.at ?? 0) < SAMPLE_MS) return;
    this.#samples.push({ at, done: counts.done });
    while ((this.#samples[1]?.at ?? at) < at - RATE_WINDOW_MS) this.#samples.shift();
  }

  /**
   * Says that somebody waits, until what it returns is disposed of. Several may wait at once: their time counts once.
   * @param reason for people, e.g. "the provider asks for 12 s"
   */
  waiting(reason: string, options: { rateLimit: boolean }): Disposable {
    const id = Symbol(reason);
    this.#waits.set(id, reason);
    if (options.rateLimit) {
      this.#rateLimitWaits += 1;
      if (this.#limited === 0) this.#limitedSince = this.#now();
      this.#limited += 1;
    }
    return {
      [Symbol.dispose]: () => {
        if (!this.#waits.delete(id) || !options.rateLimit) return;
        this.#limited -= 1;
        if (this.#limited === 0) this.#rateLimitWaitMs += this.#now() - this.#limitedSince;
      },
    };
  }

  /** Says of a wait for a provider's limits that it is over: it began so long ago, and took so long. Several at once count once. */
  waited({ agoMs, ms }: { agoMs: number; ms: number }): void {
    const from = this.#now() - agoMs;
    const to = from + ms;
    this.#rateLimitWaits += 1;
    this.#rateLimitWaitMs += Math.max(0, to - Math.max(from, this.#waitedUntil));
    this.#waitedUntil = Math.max(this.#waitedUntil, to);
  }

  snapshot(): ProgressSnapshot {
    const earlier = this.#earlier;
    const now = this.#now();
    const { done: doneNow, skipped, ...counts } = this.#counts;
    const done = earlier.done + doneNow;
    const total = this.#total ?? null;
    const perSecond = this.#rate(now);
    return {
      command: this.#options.command,
      phase: this.#phase,
      done,
      doneNow,
      total,
      totalIsEstimate: this.#totalIsEstimate,
      skipped: earlier.skipped + skipped,
      ...counts,
      cost: this.#cost(total === null ? null : total - earlier.done),
      rateLimitWaits: this.#rateLimitWaits,
      rateLimitWaitMs: Math.round(this.#rateLimitWaitMs + (this.#limited > 0 ? now - this.#limitedSince : 0)),
      waiting: [...this.#waits.values()].at(-1) ?? null,
      perSecond: perSecond === null ? null : Number(perSecond.toPrecision(4)),
      leftMs: leftMs(total, done, perSecond),
      elapsedMs: Math.round(now - this.#startedAt),
    };
  }

  #rate(now: number): number | null {
    const [oldest] = this.#samples;
    const done = this.#counts.done - (oldest?.done ?? 0);
    const ms = now - (oldest?.at ?? now);
    return this.#counts.done === 0 || ms <= 0 ? null : (1_000 * done) / ms;
  }

  /** @param toDo songs that this run has to do */
  #cost(toDo: number | null): ProgressSnapshot["cost"] {
    const { price } = this.#options;
    if (!price) return null;
    const { tokens, done } = this.#counts;
    const soFar = (tokens * price.perMillionTokens) / 1e6;
    const estimatedTotal = toDo === null || done === 0 ? null : (soFar * Math.max(toDo, done)) / done;
    return { soFar, estimatedTotal, currency: price.currency };
  }
}

function leftMs(total: number | null, done: number, perSecond: number | null): number | null {
  if (total === null || done >= total || !perSecond) return null;
  return Math.round((1_000 * (total - done)) / perSecond);
}
