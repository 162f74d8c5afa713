import type { Metrics } from "@kindred/telemetry";
import type { RecallStore } from "../../domain/recall/recall.ts";

/** Prometheus gives a scrape up after ten seconds: nothing else shall wait for this. */
const TIMEOUT_MS = 2000;

/**
 * What the service tells Prometheus about recall: that of searches without a filter. It is the database's, and so the same of every replica: one that
 * measured last week would tell of last week for as long as it runs, and of indexes that are gone.
 */
export function recallMetrics(metrics: Metrics, recall: Pick<RecallStore, "latest">): void {
  metrics.gauge({
    name: "kindred_vector_store_recall",
    help: "Share of the true nearest that scans of an index found when that was last measured for a target.",
    labels: ["collection", "index"],
    async collect() {
      try {
        const latest = await recall.latest({ timeoutMs: TIMEOUT_MS });
        return latest.map(({ collection, indexName, recall: value }) => ({
          labels: { collection, index: indexName },
          value,
        }));
      } catch {
        // While the database is away nobody knows; health says so, and the other metrics are there all the same.
        return [];
      }
    },
  });
}
