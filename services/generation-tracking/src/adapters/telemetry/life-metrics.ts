import type { Metrics } from "@kindred/telemetry";

/** What the service tells Prometheus about generations that run. */
export function lifeMetrics(metrics: Metrics): { abandoned(count: number): void } {
  const abandoned = metrics.counter({
    name: "kindred_generations_abandoned_total",
    help: "Generations that this replica marked as failed because their makers were silent for longer than their leases.",
  });
  return {
    abandoned: (count) => {
      if (count > 0) abandoned.inc(count);
    },
  };
}
