import { ExportResultCode } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";
import { messageOf } from "@kindred/errors";
import type { Logger } from "./logger.ts";
import type { TracingOptions } from "./tracing.ts";

/** One delivery, repetitions included. Collectors stand nearby and answer in milliseconds. */
const EXPORT_TIMEOUT_MS = 2500;

export function createProvider(
  options: Pick<TracingOptions, "component" | "serviceName" | "ratio">,
  processor: SpanProcessor,
): TracerProvider {
  return new TracerProvider({
    // Who runs the process adds to this with OTEL_RESOURCE_ATTRIBUTES.
    resource: detectResources({ detectors: [resourceAttributesEnvDetector] }).merge(
      resourceFromAttributes({
        "service.name": options.serviceName ?? `kindred-${options.component}`,
        "service.namespace": "kindred",
        "process.pid": process.pid,
      }),
    ),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.ratio ?? 1) }),
    spanProcessors: [processor],
  });
}

/** Sends spans in batches, in the background. */
export function deliverTo(endpoint: string, logger: Logger): SpanProcessor {
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
