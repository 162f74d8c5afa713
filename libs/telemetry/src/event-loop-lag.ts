import { createHistogram } from "node:perf_hooks";

/** How often the event loop is asked whether it is late. */
export const LAG_EVERY_MS = 20;
/** Of a pause longer than this, such as that of a stopped process, no more is counted. */
const MAX_TICKS = 3000;

/**
 * Tells how late, in milliseconds, a timer ran that was due every LAG_EVERY_MS; keeps no process alive. A loop that was blocked for a second ran one timer
 * late, and fifty were due meanwhile: each of them counts, or quantiles would be those of the time in which nothing was wrong
 * ("coordinated omission"; HdrHistogram's recordValueWithExpectedInterval does the same).
 * @returns what ends it
 */
export function watchEventLoop(tell: (lateMs: number) => void): () => void {
  let before = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    let late = Math.max(0, now - before - LAG_EVERY_MS);
    before = now;
    tell(late);
    for (let ticks = 1; ticks < MAX_TICKS && (late -= LAG_EVERY_MS) > 0; ticks++) tell(late);
  }, LAG_EVERY_MS).unref();
  return () => clearInterval(timer);
}

export interface EventLoopLag extends Disposable {
  /** 99th percentile of how late timers ran since the call before, in milliseconds; undefined when none ran. */
  take(): number | undefined;
}

/** Measures how late the event loop is; keeps no process alive. */
export function measureEventLoopLag(): EventLoopLag {
  // In microseconds, from 1 on.
  const histogram = createHistogram();
  const stop = watchEventLoop((lateMs) => histogram.record(Math.max(1, Math.round(1000 * lateMs))));
  return {
    take() {
      if (histogram.count === 0) return undefined;
      const lagMs = histogram.percentile(99) / 1000;
      histogram.reset();
      return lagMs;
    },
    [Symbol.dispose]: stop,
  };
}
