import type { Metrics } from "@kindred/telemetry";
import type { RunnerObserver } from "../operation-runner.ts";

/** What a service tells Prometheus about the operations that it does. @param service as it stands in names, e.g. "vector_store" */
export function operationMetrics(metrics: Metrics, service: string): RunnerObserver {
  const running = metrics.gauge({
    name: `kindred_${service}_operations_running`,
    help: "Operations that this replica does at the moment.",
    labels: ["kind"],
  });
  const ended = metrics.counter({
    name: `kindred_${service}_operations_total`,
    help: "Operations that this replica has done, by how that ended; those handed back are done by another one.",
    labels: ["kind", "state"],
  });
  return {
    begun: (kind) => running.inc({ kind }),
    left: (kind, state) => {
      running.dec({ kind });
      ended.inc({ kind, state: state ?? "handed-back" });
    },
  };
}
