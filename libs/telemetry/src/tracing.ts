import { setTimeout as delay } from "node:timers/promises";
import { trace, type Tracer, type TracerProvider as GlobalProvider } from "@opentelemetry/api";
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
import { addTracer } from "./spans.ts";

/** One delivery, repetitions included. Collectors stand nearby and answer in milliseconds. */
const EXPORT_TIMEOUT_MS = 2500;
/** How long a process that ends waits for its last spans to be delivered. */
const FLUSH_TIMEOUT_MS = 3000;

export interface TracingOptions {
  /** Name of the process, e.g. "embedding". */
  component: string;
  /** `service.name` of the spans; by default kindred-<component>. */
  serviceName?: string | undefined;
  /** Where spans go: the URL of an OTLP/HTTP collector's traces, such as http://localhost:4318/v1/traces. */
  endpoint?: string | undefined;
  /** Share of the traces that begin here to record, 0 to 1; default 1. Callers decide for the traces that they begin. */
  ratio?: number;
  logger: Logger;
  /** Receives the spans in place of the endpoint. */
  processor?: SpanProcessor;
}

/** Recording of spans, as long as it lasts. Disposing of it delivers what is left, for 3 s at most, and never fails. */
export interface Tracing extends AsyncDisposable {
  /** Null where nothing is recorded, which costs nothing. */
  readonly tracer: Tracer | null;
}

/**
 * Records spans if there is somewhere for them to go. Delivery is in the background: a collector that cannot be reached costs
 * the spans and one warning. An app that shares its process with others has spans of its own, by `serve({ tracing })`;
 * what runs outside of any call, and other libraries through OpenTelemetry's API, goes to the app that started first.
 */
export function startTracing(options: TracingOptions): Tracing {
  const processor = options.processor ?? exportingTo(options);
  if (processor === undefined) return { tracer: null, [Symbol.asyncDispose]: async () => undefined };

  const provider = new TracerProvider({
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
  const tracer = provider.getTracer("kindred");
  const removeTracer = addTracer(tracer);
  const removeProvider = offerGlobally(provider);

  const stop = async (): Promise<void> => {
    removeTracer();
    removeProvider();
    const timer = new AbortController();
    try {
      await Promise.race([
        provider.shutdown(),
        delay(FLUSH_TIMEOUT_MS, undefined, { signal: timer.signal }).then(() => {
          throw new Error(`not delivered within ${FLUSH_TIMEOUT_MS} ms`);
        }),
      ]);
    } catch (error) {
      options.logger.warn({ reason: messageOf(error) }, "the last spans are lost");
    } finally {
      timer.abort();
    }
  };
  let stopped: Promise<void> | undefined;
  return { tracer, [Symbol.asyncDispose]: () => (stopped ??= stop()) };
}

/** Providers of the apps in this process, in the order in which they started. */
const providers: GlobalProvider[] = [];
let registered: GlobalProvider | undefined;

/** OpenTelemetry's API has one provider a process: the oldest that is left. One that somebody else has set stays. */
function offerGlobally(provider: GlobalProvider): () => void {
  providers.push(provider);
  registerOldest();
  return () => {
    providers.splice(providers.indexOf(provider), 1);
    registerOldest();
  };
}

function registerOldest(): void {
  const oldest = providers[0];
  if (oldest === registered) return;
  if (registered !== undefined) trace.disable();
  registered = oldest !== undefined && trace.setGlobalTracerProvider(oldest) ? oldest : undefined;
}

function exportingTo({ endpoint, logger }: TracingOptions): SpanProcessor | undefined {
  if (endpoint === undefined) return undefined;
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
