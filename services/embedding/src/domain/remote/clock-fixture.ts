import type { Clock } from "./clock.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves on by `ms`, timer by timer; what each of them sets off has run before the next one fires. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settleWork();
    for (;;) {
      const next = this.#earliest();
      if (next === undefined || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next);
      next.callback();
      await settleWork();
    }
    this.#now = end;
  }

  /** Moves on until `promise` is settled, by `limitMs` at most. */
  async advanceUntil<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    const state = { settled: false };
    const settle = (): void => void (state.settled = true);
    promise.then(settle, settle);
    const limit = this.#now + limitMs;
    await settleWork();
    while (!state.settled) {
      const next = this.#earliest();
      if (next === undefined) throw new Error("nothing is waited for, and the promise is not settled");
      if (next.at > limit) throw new Error(`the promise is not settled after ${limitMs} ms`);
      await this.advance(Math.max(0, next.at - this.#now));
    }
    return promise;
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) if (earliest === undefined || timer.at < earliest.at) earliest = timer;
    return earliest;
  }
}

/** Lets everything run that waits for no timer. */
export function settleWork(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
