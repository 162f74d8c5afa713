import type { Metrics } from "@kindred/telemetry";

const ROUNDS = ["rollups", "retention"] as const;
const OUTCOMES = ["done", "failed"] as const;

/** What the service tells Prometheus about its upkeep. @returns what counts a round of that name */
export function roundMetrics(
  metrics: Metrics,
): (round: (typeof ROUNDS)[number]) => (outcome: (typeof OUTCOMES)[number]) => void {
  const rounds = metrics.counter({
    name: "kindred_metrics_rounds_total",
    help: "Rounds in which this replica computed minutes and hours, or made partitions and let old samples go, by how they ended.",
    labels: ["round", "outcome"],
  });
  // There from the start: what appears with its first failure has no increase.
  for (const round of ROUNDS) for (const outcome of OUTCOMES) rounds.inc({ round, outcome }, 0);
  return (round) => (outcome) => rounds.inc({ round, outcome });
}
