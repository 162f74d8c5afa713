import { setTimeout as sleep } from "node:timers/promises";

export interface Contestant {
  readonly name: string;
  /** Does the whole work once. @returns its seconds. */
  readonly run: () => Promise<number>;
}

export interface RoundsOptions {
  readonly rounds: number;
  /** No round is begun that would probably end later than so many seconds after the first one. */
  readonly budgetS: number;
  readonly onRun?: (name: string, seconds: number) => void;
}

/**
 * OpenMP's threads spin for 200 ms after their work before they sleep (KMP_BLOCKTIME), and garbage collectors tidy up: what one
 * contestant leaves behind must not be counted against the next.
 */
const SETTLE_MS = 400;

/**
 * Runs every contestant once to warm up, then once a round; every other round in the opposite order, so that a machine that gets
 * slower or busier meanwhile does not decide. @returns the seconds of each, one a round, at least one round.
 */
export async function runRounds(
  contestants: readonly Contestant[],
  options: RoundsOptions,
): Promise<Map<string, number[]>> {
  const seconds = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  const runAll = async (order: readonly Contestant[], measured: boolean): Promise<void> => {
    for (const { name, run } of order) {
      await sleep(SETTLE_MS);
      const took = await run();
      options.onRun?.(measured ? name : `warm-up: ${name}`, took);
      if (measured) seconds.get(name)?.push(took);
    }
  };
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1000;
  await runAll(contestants, false);
  for (let round = 0; round < options.rounds; round++) {
    const roundS = elapsed() / (round + 1);
    if (round > 0 && elapsed() + roundS > options.budgetS) break;
    await runAll(round % 2 === 0 ? contestants : contestants.toReversed(), true);
  }
  return seconds;
}

export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
