import type { Collection } from "../collection.ts";
import type { RecallProbe, RecallSnapshot } from "./recall-ports.ts";

/** A snapshot keeps VACUUM waiting: after so long, or so many queries, the next ones get another. */
const SNAPSHOT_MS = 5000;
const SNAPSHOT_QUERIES = 25;
/** The statement that runs when the time is over may come to its end. */
const GRACE_MS = 10_000;

/** Until when work goes on, and whether anybody still wants it. */
export interface WorkLimits {
  signal: AbortSignal | undefined;
  /** Of performance.now(). */
  deadline: number;
}

/**
 * Asks queries, each in one snapshot with all that is compared for it, until none are left or the time is over: then there are fewer results
 * than queries.
 * @param each undefined: it has no result, but is done
 * @throws KindredError deadline-exceeded when not even one was done in the time and a grace of ten seconds; whatever the signal's reason is
 */
export async function runBatches<Q, T>(
  probe: RecallProbe,
  collection: Collection,
  queries: readonly Q[],
  each: (snapshot: RecallSnapshot, query: Q) => Promise<T | undefined>,
  { signal, deadline }: WorkLimits,
  onDone: (done: number) => void = () => {},
): Promise<T[]> {
  const results: T[] = [];
  let done = 0;
  while (done < queries.length && (done === 0 || performance.now() < deadline)) {
    signal?.throwIfAborted();
    const began = performance.now();
    done += await probe.inSnapshot(
      collection,
      async (snapshot) => {
        let asked = 0;
        for (const query of queries.slice(done, done + SNAPSHOT_QUERIES)) {
          const result = await each(snapshot, query);
          if (result !== undefined) results.push(result);
          onDone(done + ++asked);
          const now = performance.now();
          if (now > deadline || now - began > SNAPSHOT_MS) break;
        }
        return asked;
      },
      { signal, timeoutMs: Math.max(0, deadline - began) + GRACE_MS },
    );
  }
  return results;
}
