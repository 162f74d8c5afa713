import {
  context,
  createContextKey,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import { isKindredError, messageOf } from "@kindred/errors";
import { remoteContext } from "./trace-context.ts";

export type SpanAttributes = Attributes;

/** A place in a trace, to hang spans below it from elsewhere: from a queue's worker, for instance. */
export type TracePlace = Context;

/** What a span may be told while it runs. */
export interface RunningSpan {
  set(attributes: SpanAttributes): void;
  event(name: string, attributes?: SpanAttributes): void;
}

/** A span whose end is somebody's business. */
export interface OpenSpan extends RunningSpan {
  /** Runs work inside of the span: spans that it starts are below this one, calls that it makes carry it. */
  run<T>(work: () => T): T;
  /** Ends the span, once. @param error what went wrong, for people; a span without one is not marked as failed. */
  end(error?: string): void;
}

export interface SpanOptions {
  kind: "server" | "client" | "internal";
  attributes: SpanAttributes;
}

/** The tracer of the app whose call is being served. */
const TRACER = createContextKey("kindred tracer");

/** Tracers of the apps in this process that record; the oldest one serves whatever runs outside of any call. */
const recording: Tracer[] = [];

/** @returns what takes the tracer away again. */
export function addTracer(tracer: Tracer): () => void {
  recording.push(tracer);
  return () => void recording.splice(recording.indexOf(tracer), 1);
}

/** Undefined where nothing is recorded. */
function tracerOf(place: Context): Tracer | undefined {
  if (recording.length === 0) return undefined;
  return (place.getValue(TRACER) as Tracer | undefined) ?? recording[0];
}

/** Where the work that is running stands in its trace. */
export function currentPlace(): TracePlace {
  return context.active();
}

/** Starts a span below the active one. The caller ends it. */
export function startSpan(name: string, options: SpanOptions): OpenSpan {
  const place = context.active();
  const tracer = tracerOf(place);
  return tracer === undefined ? UNRECORDED : openSpan(tracer, place, name, options);
}

/**
 * Starts the span of a call that came from elsewhere, below the caller's (W3C traceparent), or a new trace when there is none
 * or it is bad. Its work has a trace id whether anything is recorded or not.
 * @param own the tracer of the app that is called, null when that records nothing; undefined for the process's.
 */
export function startRemoteSpan(
  name: string,
  options: SpanOptions & { traceparent: string | undefined; own: Tracer | null | undefined },
): OpenSpan {
  const { traceparent } = options;
  const tracer = options.own === undefined ? recording[0] : options.own;
  if (tracer) return openSpan(tracer, remoteContext(traceparent), name, options);
  const place = remoteContext(traceparent, { orFresh: true });
  return { ...UNRECORDED, run: (work) => context.with(place, work) };
}

/**
 * Runs work inside of a span of its own, below the active one. It ends when the work does; a failure marks it with
 * `error.type` (the KindredError's kind, or the error's name) and passes on.
 */
export function inSpan<T>(name: string, attributes: SpanAttributes, work: (span: RunningSpan) => T): T {
  const span = startSpan(name, { kind: "internal", attributes });
  if (span === UNRECORDED) return work(span);
  const failed = (error: unknown): never => {
    span.set({ "error.type": errorType(error) });
    span.end(messageOf(error));
    throw error;
  };
  let result: T;
  try {
    result = span.run(() => work(span));
  } catch (error) {
    return failed(error);
  }
  if (!isPromise(result)) {
    span.end();
    return result;
  }
  // One of another realm, as a test's sandbox has, is no instance of this one's Promise.
  return result.then((value: unknown) => {
    span.end();
    return value;
  }, failed) as T;
}

/**
 * Records a span whose times are known afterwards, such as a wait in a queue.
 * @param options.start milliseconds, of `performance.now()` or since the epoch; `end` likewise.
 * @param options.place what it is below; by default the active span.
 */
export function recordSpan(
  name: string,
  options: { start: number; end: number; attributes?: SpanAttributes; place?: TracePlace; error?: string },
): void {
  const place = options.place ?? context.active();
  const span = tracerOf(place)?.startSpan(
    name,
    { startTime: options.start, ...(options.attributes && { attributes: options.attributes }) },
    place,
  );
  if (span === undefined) return;
  if (options.error !== undefined) fail(span, options.error);
  span.end(options.end);
}

/** The active span hears of something; nothing happens where there is none. */
export function spanEvent(name: string, attributes: SpanAttributes): void {
  trace.getActiveSpan()?.addEvent(name, attributes);
}

const KINDS: Record<SpanOptions["kind"], SpanKind> = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
};

const UNRECORDED: OpenSpan = {
  set: () => undefined,
  event: () => undefined,
  run: (work) => work(),
  end: () => undefined,
};

function openSpan(tracer: Tracer, parent: Context, name: string, options: SpanOptions): OpenSpan {
  const span = tracer.startSpan(name, { kind: KINDS[options.kind], attributes: options.attributes }, parent);
  const place = trace.setSpan(parent.setValue(TRACER, tracer), span);
  let ended = false;
  return {
    set: (attributes) => void span.setAttributes(attributes),
    event: (event, attributes) => void span.addEvent(event, attributes),
    run: (work) => context.with(place, work),
    end(error) {
      if (ended) return;
      ended = true;
      if (error !== undefined) fail(span, error);
      span.end();
    },
  };
}

function fail(span: Span, message: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

function errorType(error: unknown): string {
  if (isKindredError(error)) return error.kind;
  return Error.isError(error) ? error.name : "unknown";
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Partial<Promise<unknown>> | undefined | null)?.then === "function";
}
