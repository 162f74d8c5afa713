import type { Metrics } from "@kindred/telemetry";
import type { RunnerObserver } from "../../domain/operations/operation-runner.ts";

/** What the service tells Prometheus about the operations that it does. */
export function operationMetrics(metrics: Metrics): RunnerObserver {
  const running = metrics.gauge({
    name: "kindred_vector_store_operations_running",
    help: "Operations that this replica does at the moment.",
    labels: ["kind"],
  });
  const ended = metrics.counter({
    name: "kindred_vector_store_operations_total",
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
