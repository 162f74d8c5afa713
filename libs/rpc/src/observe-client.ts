import type { DescMethod } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { KindredError, messageOf } from "@kindred/errors";
import { spanEvent, startSpan, type Metrics } from "@kindred/telemetry";
import { clientMetrics, type ClientMetrics } from "./call-metrics.ts";
import { codeName, codeOf } from "./error-codes.ts";
import { abortError } from "./grpc-transport.ts";
import { watchEnd } from "./message-steps.ts";

export interface ClientObserver {
  /** A call is sent again. */
  retrying(method: DescMethod, error: KindredError, attempt: number, delayMs: number): void;
  /** The same transport, whose calls are measured and are spans of the active trace; the peer's span is below theirs. */
  observe(transport: Transport): Transport;
}

/** @param options.peer address of whom the channel speaks to. */
export function clientObserver(options: { peer: string; metrics: Metrics | undefined }): ClientObserver {
  const { peer } = options;
  const measured = options.metrics && clientMetrics(options.metrics);
  return {
    retrying(method, error, attempt, delayMs) {
      measured?.retries.inc({ peer, service: method.parent.typeName, method: method.name });
      spanEvent("retry", {
        "rpc.attempt": attempt,
        "rpc.delay_ms": Math.round(delayMs),
        "error.type": error.kind,
        "error.message": error.message,
      });
    },
    observe: (inner) => ({
      async unary(method, signal, timeoutMs, header, input, values) {
        const call = startCall(method, peer, measured);
        try {
          const response = await call.run(() =>
            inner.unary(method, signal, timeoutMs, header, input, values),
          );
          call.ended();
          return response;
        } catch (error) {
          call.ended(error);
          throw error;
        }
      },
      async stream(method, signal, timeoutMs, header, input, values) {
        const call = startCall(method, peer, measured);
        // Who does not want the rest of a stream says so with the signal, and need not read on.
        const onAbort = (): void => call.ended(signal && abortError(signal));
        signal?.addEventListener("abort", onAbort, { once: true });
        const ended = (error?: unknown): void => {
          signal?.removeEventListener("abort", onAbort);
          call.ended(error);
        };
        try {
          const response = await call.run(() =>
            inner.stream(method, signal, timeoutMs, header, input, values),
          );
          const message = watchEnd(response.message, {
            succeeded: () => ended(),
            failed(error) {
              ended(error);
              return error;
            },
            abandoned: () => ended(ABANDONED),
          });
          return { ...response, message };
        } catch (error) {
          ended(error);
          throw error;
        }
      },
    }),
  };
}

/** A call's end as far as its caller cares, who did not read all of its messages. */
const ABANDONED = new KindredError("cancelled", "the caller did not want the rest");

interface ObservedCall {
  run<T>(work: () => T): T;
  /** Heeded once. */
  ended(error?: unknown): void;
}

function startCall(method: DescMethod, peer: string, measured: ClientMetrics | undefined): ObservedCall {
  const service = method.parent.typeName;
  const name = `${service}/${method.name}`;
  const span = startSpan(name, {
    kind: "client",
    attributes: { "rpc.system.name": "grpc", "rpc.method": name, "server.address": peer },
  });
  const started = performance.now();
  let over = false;
  return {
    run: (work) => span.run(work),
    ended(error) {
      if (over) return;
      over = true;
      const code = codeName(error === undefined ? undefined : codeOf(error));
      measured?.duration.observe(
        { peer, service, method: method.name, code },
        (performance.now() - started) / 1000,
      );
      span.set({ "rpc.response.status_code": code });
      if (error !== undefined) span.set({ "error.type": code });
      span.end(error === undefined ? undefined : messageOf(error));
    },
  };
}
