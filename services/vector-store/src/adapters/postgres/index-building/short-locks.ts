import { setTimeout as sleep } from "node:timers/promises";
import { isKindredError } from "@kindred/errors";
import { sqlStateOf } from "@kindred/postgres";

/** Whoever waits for a lock makes all wait who come after; so no longer than this. */
export const LOCK_TIMEOUT_MS = 500;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

/** lock_not_available, deadlock_detected. */
const BUSY = new Set(["55P03", "40P01"]);

/** Tries a statement that wants a strong lock until it gets it, giving way to everybody else in between. */
export async function untilLocked<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, 2 * pause)) {
    try {
      return await work();
    } catch (error) {
      const cause = isKindredError(error) ? error.cause : error;
      if (signal.aborted || !BUSY.has(sqlStateOf(cause) ?? "")) throw error;
      await sleep(pause, undefined, { signal });
    }
  }
}
