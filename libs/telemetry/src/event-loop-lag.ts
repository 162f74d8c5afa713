import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often the event loop is asked whether it is late. */
const RESOLUTION_MS = 10;

export interface EventLoopLag extends Disposable {
  /** 99th percentile of how late timers ran since the call before, in milliseconds; undefined when none ran. */
  take(): number | undefined;
}

/** Measures how late the event loop is; keeps no process alive. */
export function measureEventLoopLag(): EventLoopLag {
  // It records the time from one run of its timer to the next, which is the resolution where nothing is late.
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return {
    take() {
      if (histogram.count === 0) return undefined;
      const betweenMs = histogram.percentile(99) / 1e6;
      histogram.reset();
      return Math.max(0, betweenMs - RESOLUTION_MS);
    },
    [Symbol.dispose]() {
      histogram.disable();
    },
  };
}
