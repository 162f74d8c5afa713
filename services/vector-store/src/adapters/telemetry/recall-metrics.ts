import type { Metrics } from "@kindred/telemetry";
import type { RecallObserver } from "../../domain/recall/watch-recall.ts";

/** What the service tells Prometheus about recall: that of searches without a filter, as it was last measured for a target. */
export function recallMetrics(metrics: Metrics): RecallObserver {
  const recall = metrics.gauge({
    name: "kindred_vector_store_recall",
    help: "Share of the true nearest that index scans found when that was last measured for a target.",
    labels: ["collection", "index"],
  });
  return {
    measured: ({ collection, indexName, recall: value, recallTarget, selectivity }) => {
      if (recallTarget !== undefined && selectivity === 1)
        recall.set({ collection, index: indexName }, value);
    },
  };
}
