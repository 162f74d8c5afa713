import type { Metrics } from "@kindred/telemetry";

/** What is made of the metrics once: several servers and channels may share them. */
function oncePer<T>(make: (metrics: Metrics) => T): (metrics: Metrics) => T {
  const made = new WeakMap<Metrics, T>();
  return (metrics) => {
    let found = made.get(metrics);
    if (found === undefined) made.set(metrics, (found = make(metrics)));
    return found;
  };
}

export type ClientMetrics = ReturnType<typeof clientMetrics>;

interface MethodLabels {
  service: string;
  method: string;
}

export const serverMetrics = oncePer((metrics) => {
  const duration = metrics.histogram({
    name: "kindred_rpc_server_duration_seconds",
    help: "Calls served, from their request to their last message, by their outcome, seconds.",
    labels: ["service", "method", "code"],
  });
  // Counted here and read when somebody looks, which is cheaper than two changes of a gauge for each call.
  const inFlight = new Map<string, { labels: MethodLabels; value: number }>();
  metrics.gauge({
    name: "kindred_rpc_server_in_flight",
    help: "Calls that are being served.",
    labels: ["service", "method"],
    collect: () => inFlight.values(),
  });
  return {
    /** Counts a call as in flight. @returns what ends it, with its code. */
    begin(path: string, labels: MethodLabels): (code: string) => void {
      const started = performance.now();
      let running = inFlight.get(path);
      if (running === undefined) inFlight.set(path, (running = { labels, value: 0 }));
      running.value++;
      return (code) => {
        running.value--;
        duration.observe({ ...labels, code }, (performance.now() - started) / 1000);
      };
    },
  };
});

export const clientMetrics = oncePer((metrics) => ({
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
}));

export const httpMetrics = oncePer((metrics) => ({
  duration: metrics.histogram({
    name: "kindred_http_server_duration_seconds",
    help: "Plain HTTP requests that are no calls, until their response is sent, by its status, seconds.",
    labels: ["route", "status"],
  }),
}));
