import type { Metrics } from "@kindred/telemetry";

/** What is told of one replica. */
interface Report {
  name: string;
  stalenessMs: number | undefined;
  pool: { total: number; idle: number };
  begun: number;
  handedOver: number;
}

/** What the service tells Prometheus about the read replicas that it searches in. */
export function observeReplicas(metrics: Metrics, reports: () => Report[]): void {
  metrics.gauge({
    name: "kindred_vector_store_replica_staleness_seconds",
    help: "How far behind a read replica is at most; none while it cannot be used.",
    labels: ["replica"],
    collect: () =>
      reports().flatMap(({ name, stalenessMs }) =>
        stalenessMs === undefined ? [] : [{ labels: { replica: name }, value: stalenessMs / 1000 }],
      ),
  });
  metrics.gauge({
    name: "kindred_vector_store_replica_connections",
    help: "Connections to a read replica for searches, by whether they are in use.",
    labels: ["replica", "state"],
    collect: () =>
      reports().flatMap(({ name, pool }) => [
        { labels: { replica: name, state: "idle" }, value: pool.idle },
        { labels: { replica: name, state: "in_use" }, value: pool.total - pool.idle },
      ]),
  });
  metrics.counter({
    name: "kindred_vector_store_replica_statements_total",
    help: "What was asked of a read replica, by whether it answered or the primary had to.",
    labels: ["replica", "outcome"],
    collect: () =>
      reports().flatMap(({ name, begun, handedOver }) => [
        { labels: { replica: name, outcome: "answered" }, value: begun - handedOver },
        { labels: { replica: name, outcome: "handed_over" }, value: handedOver },
      ]),
  });
}
