import type { GenerationLives } from "./generation-lives.ts";

/** Rows that one statement changes: it takes milliseconds, and locks none for longer. */
const BATCH = 1000;

/** Marks all generations as failed whose makers have been silent for longer than their leases. @returns how many */
export async function failAbandoned(
  deps: { lives: Pick<GenerationLives, "failAllAbandoned">; onFailed?: (ids: readonly bigint[]) => void },
  signal: AbortSignal,
): Promise<number> {
  let total = 0;
  while (!signal.aborted) {
    const failed = await deps.lives.failAllAbandoned(BATCH);
    total += failed.length;
    deps.onFailed?.(failed);
    if (failed.length < BATCH) break;
  }
  return total;
}
