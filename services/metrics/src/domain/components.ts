import type { StoredSample } from "./sample.ts";

export interface ComponentState {
  component: string;
  instance: string;
  latest: StoredSample;
  /** Whether it has not reported for more than three times as long as it does as a rule. */
  silent: boolean;
}

export interface ComponentStore {
  /**
   * The latest `perSeries` samples of each process that has reported, by component and instance, newest first, and the time by the
   * database's clock.
   */
  latest(perSeries: number): Promise<{ nowMicros: bigint; samples: StoredSample[] }>;
}

/** Enough for a rule that one long pause does not change. */
const LATEST = 12;
const SILENT_AFTER = 3n;
/** One sample alone tells no rule: the default of METRICS_SAMPLE_INTERVAL. */
const DEFAULT_GAP_MICROS = 10_000_000n;

/** Who has reported, by component and instance. */
export async function listComponents(deps: { components: ComponentStore }): Promise<ComponentState[]> {
  const { nowMicros, samples } = await deps.components.latest(LATEST);
  const groups = Map.groupBy(samples, ({ component, instance }) => JSON.stringify([component, instance]));
  return [...groups.values()].map((group) => {
    const latest = group[0] as StoredSample;
    const gap = usualGap(group.map(({ timestampMicros }) => timestampMicros)) ?? DEFAULT_GAP_MICROS;
    return {
      component: latest.component,
      instance: latest.instance,
      latest,
      silent: nowMicros - latest.timestampMicros > SILENT_AFTER * gap,
    };
  });
}

/** The median of the times between samples, newest first; undefined for fewer than two. */
export function usualGap(times: readonly bigint[]): bigint | undefined {
  const gaps = times.slice(1).map((time, i) => (times[i] as bigint) - time);
  return gaps.toSorted((a, b) => (a < b ? -1 : Number(a > b)))[gaps.length >> 1];
}
