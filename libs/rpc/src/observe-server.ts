import { AsyncLocalStorage } from "node:async_hooks";
import {
  Code,
  ConnectError,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { isKindredError, messageOf } from "@kindred/errors";
import { startRemoteSpan, withRemoteTrace, type Metrics, type Tracing } from "@kindred/telemetry";
import { serverMetrics } from "./call-metrics.ts";
import { codeName, codeOf } from "./error-codes.ts";
import { mapSteps, watchEnd } from "./message-steps.ts";

/** Where what is observed goes. */
export interface Observation {
  metrics?: Metrics | undefined;
  /** By default the process's, if there is any. */
  tracing?: Tracing | undefined;
}

/** Probes and tools: they would outnumber the calls of an idle service, and a Watch lasts for days. */
const UNOBSERVED = /^grpc\.(health|reflection)\./;

/** Failures that are the server's and not the caller's; semantic conventions for gRPC, "Server" column of the status codes. */
const SERVER_ERRORS = new Set<Code>([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

type Response = UnaryResponse | StreamResponse;

/**
 * Makes the caller's trace the active one, records a span for each call, and measures it. What is refused before an
 * implementation is found for it (no such method, a malformed or over-large message, a server that drains) is not seen here,
 * which also keeps the labels to the methods that there are.
 */
export function observeServer({ metrics, tracing }: Observation): Interceptor {
  const measured = metrics && serverMetrics(metrics);
  return (next) => (request) => {
    const traceparent = request.header.get("traceparent") ?? undefined;
    if (UNOBSERVED.test(request.service.typeName)) return withRemoteTrace(traceparent, () => next(request));
    const labels = { service: request.service.typeName, method: request.method.name };
    const method = `${labels.service}/${labels.method}`;
    const span = startRemoteSpan(method, {
      kind: "server",
      attributes: { "rpc.system.name": systemOf(request), "rpc.method": method },
      traceparent,
      own: tracing?.tracer,
    });
    const measurement = measured?.begin(method, labels);

    let over = false;
    const ended = (code: Code | undefined, message?: string): void => {
      if (over) return;
      over = true;
      const name = codeName(code);
      measurement?.(name);
      span.set({ "rpc.response.status_code": name });
      const failed = code !== undefined && SERVER_ERRORS.has(code);
      if (failed) span.set({ "error.type": name });
      span.end(failed ? message : undefined);
    };
    const endedWith = (error: unknown): void =>
      ended(codeOf(error), error instanceof ConnectError ? error.rawMessage : messageOf(error));
    return span.run(async (): Promise<Response> => {
      let response: Response;
      try {
        response = await next(request);
      } catch (error) {
        endedWith(error);
        throw error;
      }
      if (!response.stream) {
        ended(undefined);
        return response;
      }
      // A transport that has lost its client may ask for no message at all.
      request.signal.addEventListener("abort", () => ended(abortCode(request.signal)), { once: true });
      const watched = watchEnd(response.message, {
        succeeded: () => ended(undefined),
        failed(error) {
          endedWith(error);
          return error;
        },
        abandoned: () => ended(Code.Canceled),
      });
      // A generator runs in the context of whoever asks it for its next value: that is the transport, outside the trace.
      const inTrace = AsyncLocalStorage.snapshot();
      return { ...response, message: mapSteps(watched, (step) => inTrace(step)) };
    });
  };
}

/** What the caller is told, or would be: the reason as far as it is an answer. */
function abortCode({ reason }: AbortSignal): Code {
  return reason instanceof ConnectError || isKindredError(reason) ? codeOf(reason) : Code.Canceled;
}

/** gRPC-Web says so in its content type, which grpc-js takes out of what it hands on; Connect has one but for reads by GET. */
function systemOf({ header, requestMethod }: UnaryRequest | StreamRequest): "grpc" | "connectrpc" {
  const contentType = header.get("content-type");
  if (contentType === null) return requestMethod === "GET" ? "connectrpc" : "grpc";
  return contentType.startsWith("application/grpc") ? "grpc" : "connectrpc";
}
