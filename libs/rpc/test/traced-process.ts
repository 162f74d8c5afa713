// A process that records spans, serves one call to itself, and ends. argv: the collector's URL, the caller's traceparent.
import { createClient } from "@connectrpc/connect";
import { loadConfig } from "@kindred/config";
import { createLogger, startTracing, withRemoteTrace } from "@kindred/telemetry";
import { openChannel, serve, serverSettings, tracingOptions, tracingSettings } from "../src/index.ts";
import { ProbeService } from "./probe.ts";

const [collector = "", traceparent] = process.argv.slice(2);
const schema = { ...serverSettings({ grpcPort: 0, httpPort: 0 }), ...tracingSettings };
const config = loadConfig(schema, { OTEL_EXPORTER_OTLP_ENDPOINT: collector, LOG_LEVEL: "warn" });
const logger = createLogger({ component: "traced", level: config.LOG_LEVEL });

await using tracing = startTracing({ component: "traced", logger, ...tracingOptions(config) });
await using server = await serve({
  config,
  routes: (router) => router.service(ProbeService, { read: (request) => request }),
  logger,
  tracing,
});
await using channel = openChannel({ address: `127.0.0.1:${server.grpcPort}` });
await withRemoteTrace(traceparent, () => createClient(ProbeService, channel.transport).read({ text: "a" }));
