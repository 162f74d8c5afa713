import type { PoolClient } from "pg";
import { repositoryTransaction } from "./data-source.ts";
import type { Database } from "./database.ts";
import { limitOf } from "./transaction.ts";

export interface StreamLimits {
  /** Ends the transaction at once, also while the reader looks at something, and rejects its next read. */
  signal?: AbortSignal | undefined;
  /** Longest time from the first read to the last in milliseconds, the reader's own included; 0 or absent: without limit. */
  timeoutMs?: number | undefined;
}

/**
 * What `read` yields of one snapshot: in a read-only transaction ("repeatable read") that begins with the first read and lasts until the
 * iteration ends, however that comes about. While the reader looks at a batch the next one is made, so that at most two are in memory, however
 * slow the reader is. TypeORM's repositories work in the transaction, too, as in repositoryTransaction.
 *
 * Not for where `capabilities.concurrentSessions` is false: a slow reader would make everybody wait.
 * @param read has the transaction's connection until it ends. When the reader stops early, or is made to, the statement that runs is
 *   interrupted; otherwise it is returned at its `yield`.
 * @throws what `runTransaction` throws, and what `read` throws, at the read that it happens in
 */
export async function* streamTransaction<Batch>(
  db: Database,
  read: (client: PoolClient) => AsyncIterable<Batch>,
  limits: StreamLimits = {},
): AsyncGenerator<Batch> {
  const stopped = new AbortController();
  const stops = limits.signal ? AbortSignal.any([stopped.signal, limits.signal]) : stopped.signal;
  const signal = limitOf({ signal: stops, timeoutMs: limits.timeoutMs }) ?? stops;

  // The reader asks, and is then given what the transaction has ready. A stream would not do: a write that waits for the reader outlasts the
  // stream's abort.
  let asked = Promise.withResolvers<void>();
  let given = Promise.withResolvers<{ batch: Batch } | undefined>();
  let ended = false;
  signal.addEventListener("abort", () => asked.resolve(), { once: true });
  const running = repositoryTransaction(
    db,
    async (client) => {
      for await (const batch of read(client)) {
        signal.throwIfAborted();
        await asked.promise;
        signal.throwIfAborted();
        asked = Promise.withResolvers();
        given.resolve({ batch });
      }
    },
    {
      signal,
      isolation: "repeatable read",
      readOnly: true,
      // The time of its statement is that of the whole, and so is the time it is idle for a slow reader.
      timeoutMs: limits.timeoutMs ?? 0,
      settings: { idle_in_transaction_session_timeout: 0 },
    },
  );
  const end = (): void => {
    ended = true;
    given.resolve(undefined);
  };
  running.then(end, end);
  try {
    for (;;) {
      given = Promise.withResolvers();
      if (ended) break;
      asked.resolve();
      const next = await given.promise;
      if (!next) break;
      yield next.batch;
    }
    await running;
  } finally {
    stopped.abort();
    // Whoever stopped early has no use for how it ended; anybody else has been told.
    await running.catch(() => {});
  }
}
