import { setTimeout as sleep } from "node:timers/promises";
import { KindredError } from "@kindred/errors";
import { sqlStateOf, type Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { SpaceMove } from "../../../domain/reembedding/reembedding-ports.ts";

/** Others wait behind whoever waits for the lock of a table; so it is asked for briefly, and again a moment later. */
const LOCK_TIMEOUT_MS = 300;
const PAUSE_MS = 200;
/** lock_not_available, deadlock_detected */
const IN_THE_WAY = new Set(["55P03", "40P01"]);

/** Whether somebody else's lock was in the way of a transaction, which did nothing then. */
export function isInTheWay(error: unknown): boolean {
  return IN_THE_WAY.has(sqlStateOf(error) ?? "");
}

/** A transaction that takes locks which others' statements conflict with: it waits for them as long as it takes, and they never for it. */
export async function withBriefLocks<T>(
  db: Database,
  work: (client: PoolClient) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await db.transaction(work, { ...briefly, signal });
    } catch (error) {
      if (!isInTheWay(error)) throw error;
      // Jitter: what is in the way may come at regular times.
      await sleep(PAUSE_MS * (0.5 + Math.random()), undefined, { signal });
    }
  }
}

/** For db.transaction: no time limit but that of its locks. */
export const briefly = {
  timeoutMs: 0,
  settings: { lock_timeout: LOCK_TIMEOUT_MS, idle_in_transaction_session_timeout: 60_000 },
};

/**
 * To be called first in every transaction that changes something: nobody begins the operation again before its end.
 * @throws KindredError aborted where somebody has
 */
export async function holdOperation(client: PoolClient, { operation }: SpaceMove): Promise<void> {
  const { rowCount } = await client.query(
    "SELECT 1 FROM operations WHERE id = $1 AND attempts = $2 FOR SHARE",
    [String(operation.id), operation.attempts],
  );
  if (rowCount === 0) {
    throw new KindredError("aborted", `operation ${operation.id} was begun again elsewhere`);
  }
}
