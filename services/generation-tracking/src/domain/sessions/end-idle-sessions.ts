import type { SessionStore } from "./session.ts";

/** Rows that one statement ends: it takes milliseconds, and locks none for longer. */
const BATCH = 1000;

/** Writes down the end of all sessions whose time is over. @returns how many */
export async function endIdleSessions(
  deps: { sessions: Pick<SessionStore, "endIdle"> },
  signal: AbortSignal,
): Promise<number> {
  let total = 0;
  while (!signal.aborted) {
    const ended = await deps.sessions.endIdle(BATCH);
    total += ended;
    if (ended < BATCH) break;
  }
  return total;
}
