import {
  context,
  propagation,
  ROOT_CONTEXT,
  trace,
  TraceFlags,
  type Context,
  type SpanContext,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { randomFillSync } from "node:crypto";

// Registered once a process, so that every part of it sees the same context. An OpenTelemetry SDK that is set up
// before this module is loaded keeps its own: these calls then return false and change nothing.
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

/** Runs `work` as part of the caller's trace (W3C traceparent), or of a new one when there is none or it is bad. */
export function withRemoteTrace<T>(traceparent: string | undefined, work: () => T): T {
  return context.with(remoteContext(traceparent, { orFresh: true }), work);
}

/**
 * The caller's place in its trace; when there is no traceparent, or a bad one, that of a new trace that is not sampled
 * (`orFresh`) or outside of any trace.
 */
export function remoteContext(traceparent: string | undefined, { orFresh = false } = {}): Context {
  const remote = propagation.extract(ROOT_CONTEXT, traceparent === undefined ? {} : { traceparent });
  if (!orFresh || trace.getSpanContext(remote) !== undefined) return remote;
  const fresh: SpanContext = {
    traceId: randomHex(16),
    spanId: randomHex(8),
    traceFlags: TraceFlags.NONE,
  };
  return trace.setSpanContext(ROOT_CONTEXT, fresh);
}

/** The traceparent to send with a call to another service; undefined outside any trace. */
export function activeTraceparent(): string | undefined {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
}

/** Trace id of the work that is running, 32 hexadecimal digits; undefined outside any trace. */
export function activeTraceId(): string | undefined {
  return trace.getSpanContext(context.active())?.traceId;
}

/** The trace id in a traceparent header; undefined when the header is bad. */
export function traceIdOf(traceparent: string): string | undefined {
  return trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent }))?.traceId;
}

/** Random bytes are fetched many at a time: for each id alone they would cost 2.5 us. */
const pool = Buffer.alloc(4096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString("hex", used - bytes, used);
}
