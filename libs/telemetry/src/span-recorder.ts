import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";

/** A span that has ended, in plain words. */
export interface RecordedSpan {
  name: string;
  /** Of the app that made it. */
  service: string;
  kind: "internal" | "server" | "client" | "producer" | "consumer";
  traceId: string;
  spanId: string;
  /** Undefined for the first one of a trace. */
  parentSpanId: string | undefined;
  /** What went wrong, for people; undefined when nothing did. */
  error: string | undefined;
  attributes: Readonly<Record<string, unknown>>;
  events: readonly { name: string; attributes: Readonly<Record<string, unknown>> }[];
  /** Milliseconds since the epoch. */
  start: number;
  durationMs: number;
}

/** Keeps the spans that end, in that order: `startTracing({ processor: recorder.processor })` in tests. */
export interface SpanRecorder {
  readonly processor: SpanProcessor;
  readonly spans: readonly RecordedSpan[];
}

export function createSpanRecorder(): SpanRecorder {
  const spans: RecordedSpan[] = [];
  return {
    spans,
    processor: {
      onStart: () => undefined,
      onEnd: (span) => void spans.push(plain(span)),
      forceFlush: async () => undefined,
      shutdown: async () => undefined,
    },
  };
}

function plain(span: ReadableSpan): RecordedSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    name: span.name,
    service: String(span.resource.attributes["service.name"]),
    kind: SpanKind[span.kind].toLowerCase() as RecordedSpan["kind"],
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    error: span.status.code === SpanStatusCode.ERROR ? (span.status.message ?? "") : undefined,
    attributes: span.attributes,
    events: span.events.map(({ name, attributes }) => ({ name, attributes: attributes ?? {} })),
    start: milliseconds(span.startTime),
    durationMs: milliseconds(span.duration),
  };
}

function milliseconds([seconds, nanos]: readonly [number, number]): number {
  return seconds * 1000 + nanos / 1e6;
}
