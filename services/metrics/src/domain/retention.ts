import type { SampleStore } from "./sample.ts";

/** What went well and what did not; a logger does. */
export interface RetentionLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface RetentionOptions {
  store: Pick<SampleStore, "deleteOlderThan">;
  /** Samples older than this are deleted. */
  keepMs: number;
  /** How often; the first time after one such span. */
  everyMs: number;
  /** Samples a statement: small enough to hold no lock for long. */
  batchSize: number;
  log: RetentionLog;
}

/**
 * Deletes old samples from time to time, until it is disposed of. Every replica may do it. A failure is logged, and
 * the next round makes up for it.
 */
export function startRetention(options: RetentionOptions): AsyncDisposable {
  const stopped = new AbortController();
  let round: Promise<void> | undefined;
  const timer = setInterval(() => {
    round ??= deleteOldSamples(options, stopped.signal).finally(() => {
      round = undefined;
    });
  }, options.everyMs).unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      stopped.abort();
      await round;
    },
  };
}

/** One round: batch after batch until nothing old is left. Never rejects. */
export async function deleteOldSamples(options: RetentionOptions, signal: AbortSignal): Promise<void> {
  const { store, keepMs, batchSize, log } = options;
  let deleted = 0;
  try {
    while (!signal.aborted) {
      const batch = await store.deleteOlderThan(keepMs, batchSize);
      deleted += batch;
      if (batch < batchSize) break;
    }
  } catch (error) {
    log.warn({ err: error }, "old samples could not be deleted; the next round tries again");
  }
  if (deleted > 0) log.info({ deleted }, "old samples deleted");
}
