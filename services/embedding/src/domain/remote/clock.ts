/** Time, and waiting. Injected, so that tests need not wait. */
export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Calls back once, after so many milliseconds at the earliest. @returns what calls it off. */
  after(ms: number, callback: () => void): () => void;
}

/** Beyond it, setTimeout fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, Math.min(Math.max(ms, 0), MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`; rejects with the signal's reason as soon as that is aborted. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const callOff = clock.after(ms, () => {
    signal.removeEventListener("abort", abort);
    resolve();
  });
  const abort = (): void => {
    callOff();
    reject(signal.reason as Error);
  };
  signal.addEventListener("abort", abort, { once: true });
  return promise;
}
