import type { GenerationLives } from "./generation-lives.ts";

/** Rows that one statement changes: it takes milliseconds, and locks none for longer. */
const BATCH = 1000;

/** Marks all generations as failed whose makers have been silent for longer than their leases. @returns how many */
export async function failAbandoned(
  deps: { lives: Pick<GenerationLives, "failAllAbandoned"> },
  signal: AbortSignal,
): Promise<number> {
  let total = 0;
  while (!signal.aborted) {
    const { length: failed } = await deps.lives.failAllAbandoned(BATCH);
    total += failed;
    if (failed < BATCH) break;
  }
  return total;
}
