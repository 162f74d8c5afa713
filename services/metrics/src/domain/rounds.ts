/** What went well and what did not; a logger does. */
export interface RoundsLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface RoundsOptions {
  /** Named in the log when it fails, e.g. "old samples could not be deleted". */
  failure: string;
  everyMs: number;
  /** Whether the first round begins at once, rather than after one such span. */
  atOnce?: boolean;
  /** Heeds the signal between its steps. What it throws is logged, and the next round makes up for it. */
  round: (signal: AbortSignal) => Promise<void>;
  log: RoundsLog;
  /** Hears how each round ended; of one that was cut off by the end of all of them nothing. */
  onEnd?: (outcome: "done" | "failed") => void;
}

/**
 * Does some work from time to time until it is disposed of, which waits for the round that is going on. A round that takes longer than
 * the time between two is not overtaken.
 */
export function startRounds(options: RoundsOptions): AsyncDisposable {
  const stopped = new AbortController();
  let current: Promise<void> | undefined;
  const begin = (): void => {
    current ??= runRound(options, stopped.signal).finally(() => {
      current = undefined;
    });
  };
  if (options.atOnce) begin();
  const timer = setInterval(begin, options.everyMs).unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      stopped.abort();
      await current;
    },
  };
}

async function runRound({ round, failure, log, onEnd }: RoundsOptions, signal: AbortSignal): Promise<void> {
  try {
    await round(signal);
    onEnd?.("done");
  } catch (error) {
    if (signal.aborted) return;
    log.warn({ err: error }, `${failure}; the next round tries again`);
    onEnd?.("failed");
  }
}
