import type { Metrics } from "./metrics.ts";

/** Gauges of a database's pool, read when somebody looks. */
export function observePool(
  metrics: Metrics,
  stats: () => { total: number; idle: number; waiting: number; max: number },
): void {
  metrics.gauge({
    name: "kindred_db_pool_connections",
    help: "Connections to the database, by whether they are in use.",
    labels: ["state"],
    collect() {
      const { total, idle } = stats();
      return [
        { labels: { state: "idle" }, value: idle },
        { labels: { state: "in_use" }, value: total - idle },
      ];
    },
  });
  metrics.gauge({
    name: "kindred_db_pool_max_connections",
    help: "Connections to the database that there may be.",
    collect: () => stats().max,
  });
  metrics.gauge({
    name: "kindred_db_pool_waiting",
    help: "Queries and transactions that wait for a connection.",
    collect: () => stats().waiting,
  });
}
