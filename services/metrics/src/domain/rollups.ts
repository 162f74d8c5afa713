/** What minutes and hours are computed for. */
export type RollupResolution = "minute" | "hour";

export const ROLLUP_MS: Readonly<Record<RollupResolution, number>> = { minute: 60_000, hour: 3_600_000 };

export interface RollupStore {
  /**
   * Computes up to `limit` of the minutes or hours of a component that are due and ended `graceMs` ago, the oldest first, from the samples, and
   * strikes them off in the same transaction: however often, and whenever it is interrupted, the result is the same. One process at a time.
   * @returns how many; 0 also when another process is at it
   */
  compute(
    resolution: RollupResolution,
    options: { graceMs: number; limit: number; signal: AbortSignal },
  ): Promise<number>;
}

/** Samples of a minute are still on their way for a while after its end; what comes later has it computed once more. */
const GRACE_MS = 5000;
const LIMITS: Readonly<Record<RollupResolution, number>> = { minute: 200, hour: 20 };

/** One round: all minutes that are due, and then the hours, which become due with them. */
export async function computeRollups(
  { rollups }: { rollups: RollupStore },
  signal: AbortSignal,
): Promise<void> {
  for (const resolution of ["minute", "hour"] as const) {
    const limit = LIMITS[resolution];
    let computed = limit;
    while (computed === limit && !signal.aborted)
      computed = await rollups.compute(resolution, { graceMs: GRACE_MS, limit, signal });
  }
}
