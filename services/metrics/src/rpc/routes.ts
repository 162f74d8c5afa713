import type { ConnectRouter } from "@connectrpc/connect";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import type { ComponentStore } from "../domain/components.ts";
import type { StatisticsSources } from "../domain/database-stats.ts";
import type { LiveSamples } from "../domain/live-samples.ts";
import type { HistoryStore } from "../domain/query-history.ts";
import type { SampleWriter } from "../domain/sample-writer.ts";
import type { SampleStore } from "../domain/sample.ts";
import { getDatabaseStatsRpc } from "./get-database-stats.ts";
import { getMetricsHistoryRpc } from "./get-metrics-history.ts";
import { listComponentsRpc } from "./list-components.ts";
import { queryHistoryRpc } from "./query-history.ts";
import { reportMetricsRpc } from "./report-metrics.ts";
import { streamMetricsRpc } from "./stream-metrics.ts";
import { watchMetricsRpc } from "./watch-metrics.ts";

export interface MetricsDeps {
  store: SampleStore;
  /** Over the store. */
  writer: SampleWriter;
  history: HistoryStore;
  live: LiveSamples;
  components: ComponentStore;
  sources: StatisticsSources;
}

export function metricsRoutes(deps: MetricsDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(MetricsService, {
      reportMetrics: reportMetricsRpc(deps),
      streamMetrics: streamMetricsRpc(deps),
      getMetricsHistory: getMetricsHistoryRpc(deps),
      queryHistory: queryHistoryRpc(deps),
      watchMetrics: watchMetricsRpc(deps),
      listComponents: listComponentsRpc(deps),
      getDatabaseStats: getDatabaseStatsRpc(deps),
    });
  };
}
