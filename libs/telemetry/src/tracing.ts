import { setTimeout as delay } from "node:timers/promises";
import { trace, type Tracer, type TracerProvider } from "@opentelemetry/api";
import type { SpanProcessor } from "@opentelemetry/sdk-trace";
import { messageOf } from "@kindred/errors";
import type { Logger } from "./logger.ts";
import { createProvider, deliverTo } from "./span-provider.ts";
import { addTracer } from "./spans.ts";

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
  const { endpoint, logger, processor } = options;
  if (endpoint === undefined && processor === undefined) {
    return { tracer: null, [Symbol.asyncDispose]: async () => undefined };
  }
  const provider = createProvider(options, processor ?? deliverTo(endpoint as string, logger));
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
      logger.warn({ reason: messageOf(error) }, "the last spans are lost");
    } finally {
      timer.abort();
    }
  };
  let stopped: Promise<void> | undefined;
  return { tracer, [Symbol.asyncDispose]: () => (stopped ??= stop()) };
}

/** Providers of the apps in this process, in the order in which they started. */
const providers: TracerProvider[] = [];
let registered: TracerProvider | undefined;

/** OpenTelemetry's API has one provider a process: the oldest that is left. One that somebody else has set stays. */
function offerGlobally(provider: TracerProvider): () => void {
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
