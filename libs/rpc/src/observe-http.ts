import type { IncomingMessage, ServerResponse } from "node:http";
import { startRemoteSpan } from "@kindred/telemetry";
import { httpMetrics } from "./call-metrics.ts";
import type { HttpRoutes } from "./http-server.ts";
import type { Observation } from "./observe-server.ts";

/** nginx's word for a client that went away before it was answered. */
const CLIENT_CLOSED_REQUEST = 499;

/** The same routes, each request measured, and a span below its caller's. */
export function observeRoutes(routes: HttpRoutes, { metrics, tracing }: Observation): HttpRoutes {
  if (Object.keys(routes).length === 0) return routes;
  const measured = metrics && httpMetrics(metrics);
  const observe = (route: string, handle: HttpRoutes[string]): HttpRoutes[string] => {
    const [method = "", path = ""] = route.split(" ", 2);
    return (request: IncomingMessage, response: ServerResponse) => {
      const { traceparent } = request.headers;
      const started = performance.now();
      const span = startRemoteSpan(route, {
        kind: "server",
        attributes: { "http.request.method": method, "http.route": path, "url.path": path },
        traceparent: typeof traceparent === "string" ? traceparent : undefined,
        own: tracing?.tracer,
      });
      response.once("close", () => {
        const status = response.writableFinished ? response.statusCode : CLIENT_CLOSED_REQUEST;
        measured?.duration.observe({ route, status: String(status) }, (performance.now() - started) / 1000);
        span.set({ "http.response.status_code": status });
        if (status >= 500) span.set({ "error.type": String(status) });
        span.end(status >= 500 ? `answered with ${status}` : undefined);
      });
      span.run(() => handle(request, response));
    };
  };
  return Object.fromEntries(Object.entries(routes).map(([route, handle]) => [route, observe(route, handle)]));
}
