import type { Counter, Gauge, Histogram, Metrics } from "@kindred/telemetry";

export interface ServerMetrics {
  duration: Histogram<"service" | "method" | "code">;
  inFlight: Gauge<"service" | "method">;
}

export interface ClientMetrics {
  duration: Histogram<"peer" | "service" | "method" | "code">;
  retries: Counter<"peer" | "service" | "method">;
}

export function serverMetrics(metrics: Metrics): ServerMetrics {
  return {
    duration: metrics.histogram({
      name: "kindred_rpc_server_duration_seconds",
      help: "Calls served, from their first byte to their last message, by their outcome, seconds.",
      labels: ["service", "method", "code"],
    }),
    inFlight: metrics.gauge({
      name: "kindred_rpc_server_in_flight",
      help: "Calls that are being served.",
      labels: ["service", "method"],
    }),
  };
}

const clients = new WeakMap<Metrics, ClientMetrics>();

/** The same for every channel that reports to the same metrics. */
export function clientMetrics(metrics: Metrics): ClientMetrics {
  const known = clients.get(metrics);
  if (known !== undefined) return known;
  const made: ClientMetrics = {
    duration: metrics.histogram({
      name: "kindred_rpc_client_duration_seconds",
      help: "Calls made, repetitions included, by their outcome, seconds.",
      labels: ["peer", "service", "method", "code"],
    }),
    retries: metrics.counter({
      name: "kindred_rpc_client_retries_total",
      help: "Attempts beyond the first one of a call.",
      labels: ["peer", "service", "method"],
    }),
  };
  clients.set(metrics, made);
  return made;
}
