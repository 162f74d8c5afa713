import type { RoundsLog } from "./rounds.ts";

/** A moment by the database's clock, in its own writing. */
export type DatabaseTime = string;

/** The parts that samples and what became of them are kept in. Several processes may call it at once. */
export interface Storage {
  /**
   * Makes the partitions of today and the days ahead, and of the days of samples that came where there was no partition yet, as long as they
   * are not older than `keepMs`.
   * @returns the days that were made; "busy" where somebody held the table for too long
   */
  prepareDays(options: { ahead: number; keepMs: number }): Promise<string[] | "busy">;
  /**
   * Says that samples, minutes or hours go away now that were before the hour, or the day, which began `keepMs` ago or longer: what is left of
   * them is not counted any more. Samples of a minute or hour that is yet to be computed stay, and those after them.
   */
  moveHorizon(kept: Kept, options: { keepMs: number; wholeDays: boolean }): Promise<DatabaseTime>;
  /** Drops the partitions of days that are before that. @returns the days that were dropped, or "busy" */
  dropDaysBefore(time: DatabaseTime): Promise<string[] | "busy">;
  /** Forgets processes that have reported nothing since. */
  forgetSeriesBefore(time: DatabaseTime): Promise<void>;
  /** Deletes at most `limit` of those before that, oldest first. Nobody waits for another who does so. @returns how many */
  deleteBefore(kept: Kept, time: DatabaseTime, limit: number): Promise<number>;
}

/** What is kept: every sample, or what samples were in each minute or hour. */
export type Kept = "raw" | "minute" | "hour";

export interface RetentionOptions {
  storage: Storage;
  /** How long each is kept. */
  keepMs: Readonly<Record<Kept, number>>;
  /** Rows a statement: few enough to hold no lock for long. */
  batchSize: number;
  log: RoundsLog;
}

const DAY_MS = 86_400_000;
/** A service that is away for so long finds its partitions when it is back. */
const DAYS_AHEAD = 3;
const BUSY =
  "somebody holds system_metrics, as a long query or an open transaction does; the next round tries again";

/**
 * One round: partitions for the days to come, and what is too old goes. Days are dropped as a whole, which costs nothing; only where
 * samples are kept for less than two days, a day more would be too much, and they are deleted one by one, by the hour.
 */
export async function keepStorage(options: RetentionOptions, signal: AbortSignal): Promise<void> {
  const { storage, keepMs, log } = options;
  const made = await storage.prepareDays({ ahead: DAYS_AHEAD, keepMs: keepMs.raw });
  if (made === "busy") log.warn({}, `partitions could not be made: ${BUSY}`);
  else if (made.length > 0) log.info({ days: made }, "partitions made");
  if (signal.aborted) return;
  const horizon = await storage.moveHorizon("raw", {
    keepMs: keepMs.raw,
    wholeDays: keepMs.raw >= 2 * DAY_MS,
  });
  const dropped = await storage.dropDaysBefore(horizon);
  if (dropped === "busy") log.warn({}, `old partitions could not be dropped: ${BUSY}`);
  else if (dropped.length > 0) log.info({ days: dropped }, "old partitions dropped");
  await deleteAll(options, "raw", horizon, signal);
  await storage.forgetSeriesBefore(horizon);
  for (const kept of ["minute", "hour"] as const) {
    if (signal.aborted) return;
    const time = await storage.moveHorizon(kept, { keepMs: keepMs[kept], wholeDays: false });
    await deleteAll(options, kept, time, signal);
  }
}

async function deleteAll(
  { storage, batchSize, log }: RetentionOptions,
  kept: Kept,
  before: DatabaseTime,
  signal: AbortSignal,
): Promise<void> {
  let deleted = 0;
  while (!signal.aborted) {
    const batch = await storage.deleteBefore(kept, before, batchSize);
    deleted += batch;
    if (batch < batchSize) break;
  }
  if (deleted > 0) log.info({ deleted, kept }, "old samples deleted");
}
