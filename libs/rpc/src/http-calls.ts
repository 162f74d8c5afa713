import type { IncomingMessage, ServerResponse } from "node:http";
import {
  Code,
  ConnectError,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type ConnectRouterOptions,
  type HandlerContext,
  type MethodImplSpec,
} from "@connectrpc/connect";
import type {
  UniversalHandler,
  UniversalServerRequest,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { blameCaller, unknownError } from "./error-codes.ts";
import { failedInside } from "./interceptors.ts";

export interface HttpCallsOptions extends Omit<ConnectRouterOptions, "requestGate"> {
  /** Throws when new calls are refused. */
  gate: () => void;
  /** Receives what was thrown outside of the interceptors and is not the caller's fault. */
  onFault: (error: unknown, path: string) => void;
}

/** The calls of an HTTP server. */
export interface HttpCalls {
  /** Answers the request when its path is that of a call. @returns whether it is. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
}

/**
 * The methods over Connect and gRPC-Web. Like connectNodeAdapter, but what a client can send never throws outside of a
 * promise (there, a Host header that is no host ends the process), failures go to `onFault` and not to the
 * console, and a unary request that cannot be decoded is INVALID_ARGUMENT and not INTERNAL.
 */
export function createHttpCalls(methods: readonly MethodImplSpec[], options: HttpCallsOptions): HttpCalls {
  const { gate, onFault, ...routerOptions } = options;
  const router = createConnectRouter({
    ...routerOptions,
    requestGate: (context: HandlerContext) => {
      const failed = context.values.get(verdict);
      if (failed !== undefined) throw failed;
      gate();
    },
  });
  for (const { method, impl } of methods) router.rpc(method, impl as never);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  const answer = async (handler: UniversalHandler, request: IncomingMessage, response: ServerResponse) => {
    const values = createContextValues();
    const universal = universalRequestFromNodeRequest(request, response, undefined, values);
    dropEndlessTimeouts(universal.header);
    let answered = await handler(universal);
    if (handler.method.methodKind === "unary" && !values.get(failedInside) && !universal.signal.aborted) {
      const [failed, same] = await failureOf(answered);
      answered = same;
      if (failed?.code === Code.Internal) {
        const judged = blameCaller(failed);
        if (judged === failed) onFault(failed, handler.requestPath);
        answered = await handler(refused(universal, judged === failed ? unknownError() : judged));
      }
    }
    await universalResponseToNodeResponse(answered, response);
  };

  return {
    handle(request, response) {
      const handler = handlers.get(request.url?.split("?", 1)[0] ?? "");
      if (handler === undefined) return false;
      answer(handler, request, response).catch((error: unknown) => {
        // The caller went away: there is nobody to tell.
        if (error instanceof ConnectError && error.code === Code.Aborted) return;
        onFault(error, handler.requestPath);
        if (!response.headersSent) response.writeHead(400);
        response.end();
      });
      return true;
    },
  };
}

/** Longest time span that a Node timer takes, 24 days: a longer one would be over at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const GRPC_TIMEOUT_UNITS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000 };

/** Removes time limits that are longer than any timer. */
function dropEndlessTimeouts(header: Headers): void {
  if (Number(header.get("connect-timeout-ms") ?? 0) > MAX_TIMEOUT_MS) header.delete("connect-timeout-ms");
  const [, amount = "0", unit = ""] = /^(\d+)([HMS])$/.exec(header.get("grpc-timeout") ?? "") ?? [];
  if (Number(amount) * (GRPC_TIMEOUT_UNITS[unit] ?? 0) > MAX_TIMEOUT_MS) header.delete("grpc-timeout");
}

/** The error that a call is refused with before its body is read. */
const verdict = createContextKey<ConnectError | undefined>(undefined, { description: "refused with" });

/** A request whose handler serialises the error as its protocol wants it. */
function refused(request: UniversalServerRequest, error: ConnectError): UniversalServerRequest {
  return { ...request, body: noBytes(), contextValues: createContextValues().set(verdict, error) };
}

async function* noBytes(): AsyncIterable<Uint8Array> {}

/** The error that a unary response carries, and the response to send in its place, for looking at it consumes the body. */
async function failureOf(
  response: UniversalServerResponse,
): Promise<[error: ConnectError | undefined, same: UniversalServerResponse]> {
  if (response.body === undefined) return [undefined, response];
  const body = response.body[Symbol.asyncIterator]();
  const first = await body.next();
  if (first.done === true) return [undefined, { ...response, body: noBytes() }];
  const same = { ...response, body: resumed(first.value, body) };
  return [
    isJson(response) ? connectFailure(response.status, first.value) : grpcWebFailure(first.value),
    same,
  ];
}

async function* resumed(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  yield first;
  yield* { [Symbol.asyncIterator]: () => rest };
}

function isJson(response: UniversalServerResponse): boolean {
  return response.header?.get("content-type")?.startsWith("application/json") ?? false;
}

/** https://connectrpc.com/docs/protocol#error-end-stream: a status that is not 200 and a JSON object. */
function connectFailure(status: number, body: Uint8Array): ConnectError | undefined {
  if (status !== 500) return undefined;
  const { code, message } = JSON.parse(new TextDecoder().decode(body)) as { code: string; message?: string };
  return new ConnectError(message ?? "", code === "internal" ? Code.Internal : Code.Unknown);
}

/** gRPC-Web sends the trailers in the body: a frame with the highest bit of its flags set. */
function grpcWebFailure(frame: Uint8Array): ConnectError | undefined {
  const [flags = 0] = frame;
  if ((flags & 0x80) === 0) return undefined;
  const trailers = new TextDecoder().decode(frame.subarray(5));
  const code = Number(/^grpc-status: *(\d+)/im.exec(trailers)?.[1] ?? 0);
  const message = decodeURIComponent(/^grpc-message: *(.*?)\r?$/im.exec(trailers)?.[1] ?? "");
  return code === 0 ? undefined : new ConnectError(message, code);
}
