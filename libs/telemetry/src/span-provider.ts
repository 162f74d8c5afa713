import { createRequire } from "node:module";
import { ExportResultCode } from "@opentelemetry/core";
import type { SpanExporter, SpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { messageOf } from "@kindred/errors";
import type { Logger } from "./logger.ts";
import type { TracingOptions } from "./tracing.ts";

/** One delivery, repetitions included. Collectors stand nearby and answer in milliseconds. */
const EXPORT_TIMEOUT_MS = 2500;

// The SDK takes longer to load than all else in this library, so only who records loads it; and without waiting, which `import()`
// would ask of whoever starts an app.
const require = createRequire(import.meta.url);
const loadSdk = () => require("@opentelemetry/sdk-trace") as typeof import("@opentelemetry/sdk-trace");
const loadResources = () => require("@opentelemetry/resources") as typeof import("@opentelemetry/resources");
const loadExporter = () =>
  require("@opentelemetry/exporter-trace-otlp-http") as typeof import("@opentelemetry/exporter-trace-otlp-http");

export function createProvider(
  options: Pick<TracingOptions, "component" | "serviceName" | "ratio">,
  processor: SpanProcessor,
): TracerProvider {
  const sdk = loadSdk();
  const { detectResources, resourceAttributesEnvDetector, resourceFromAttributes } = loadResources();
  return new sdk.TracerProvider({
    // Who runs the process adds to this with OTEL_RESOURCE_ATTRIBUTES.
    resource: detectResources({ detectors: [resourceAttributesEnvDetector] }).merge(
      resourceFromAttributes({
        "service.name": options.serviceName ?? `kindred-${options.component}`,
        "service.namespace": "kindred",
        "process.pid": process.pid,
      }),
    ),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(options.ratio ?? 1) }),
    spanProcessors: [processor],
  });
}

/** Sends spans in batches, in the background. */
export function deliverTo(endpoint: string, logger: Logger): SpanProcessor {
  const { OTLPTraceExporter } = loadExporter();
  const { BatchSpanProcessor } = loadSdk();
  const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis: EXPORT_TIMEOUT_MS });
  return new BatchSpanProcessor({ exporter: warningOnce(exporter, endpoint, logger) });
}

/** Says when spans begin to be lost and when that is over, and not at each batch between. */
function warningOnce(exporter: SpanExporter, endpoint: string, logger: Logger): SpanExporter {
  // A URL may carry a password.
  const { origin, pathname } = new URL(endpoint);
  const collector = origin + pathname;
  let losing = false;
  return {
    export(spans, done) {
      exporter.export(spans, ({ code, error }) => {
        const failed = code === ExportResultCode.FAILED;
        if (failed && !losing) {
          logger.warn(
            { collector, reason: messageOf(error) },
            "spans cannot be delivered, and are dropped until they can",
          );
        } else if (!failed && losing) logger.info({ collector }, "spans are delivered again");
        losing = failed;
        // The failure has been dealt with; the processor would report it to a global handler.
        done({ code: ExportResultCode.SUCCESS });
      });
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}
