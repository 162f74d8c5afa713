import { median } from "../statistics.ts";

export interface Goal {
  readonly of: string;
  /** A contestant, or the beginning of the names of several: each of them is compared with. */
  readonly to: string;
  /** Ratio that is wanted; undefined where none is. */
  readonly atLeast: number | undefined;
}

export interface Throughput {
  /** Of each contestant, one a round. */
  readonly seconds: ReadonlyMap<string, readonly number[]>;
  readonly sentences: number;
  readonly tokens: number;
  readonly goals: readonly Goal[];
}

/** Prints rates, and ratios of the rates of one round: their median, lowest and highest. */
export function printThroughput({ seconds, sentences, tokens, goals }: Throughput): void {
  const rounds = [...seconds.values()][0]?.length ?? 0;
  console.log(`\nmedians of ${rounds} rounds`);
  console.table(
    [...seconds].map(([what, times]) => ({
      what,
      "sentences/s": (sentences / median(times)).toFixed(0),
      "tokens/s": (tokens / median(times)).toFixed(0),
      "slowest, fastest": [Math.max(...times), Math.min(...times)]
        .map((time) => (sentences / time).toFixed(0))
        .join(", "),
    })),
  );
  console.log("ratios of one round's rates: median (lowest to highest)");
  for (const { of, to, atLeast } of goals) {
    for (const [name, times] of seconds) {
      if (!name.startsWith(to)) continue;
      const ratios = times.map((time, round) => time / (seconds.get(of)?.[round] as number));
      const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
      const wanted = atLeast === undefined ? "" : `, ${atLeast} wanted`;
      console.log(`  ${of} / ${name}: ${median(ratios).toFixed(2)} (${range})${wanted}`);
    }
  }
}
