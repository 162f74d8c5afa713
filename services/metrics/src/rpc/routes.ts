import type { ConnectRouter } from "@connectrpc/connect";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import type { StatisticsSources } from "../domain/database-stats.ts";
import type { SampleStore } from "../domain/sample.ts";
import { getDatabaseStatsRpc } from "./get-database-stats.ts";
import { getMetricsHistoryRpc } from "./get-metrics-history.ts";
import { reportMetricsRpc } from "./report-metrics.ts";

export interface MetricsDeps {
  store: SampleStore;
  sources: StatisticsSources;
}

export function metricsRoutes(deps: MetricsDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(MetricsService, {
      reportMetrics: reportMetricsRpc(deps),
      getMetricsHistory: getMetricsHistoryRpc(deps),
      getDatabaseStats: getDatabaseStatsRpc(deps),
    });
  };
}
