import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { cors, type Interceptor, type MethodImplSpec } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { cannotListen, type Listener } from "./grpc-server.ts";
import { createHttpCalls } from "./http-calls.ts";

const PREFLIGHT_MAX_AGE_S = 7200;
const ALLOWED_HEADERS = [...cors.allowedHeaders, "traceparent"].join(", ");

/** Plain HTTP besides the calls, by method and path, e.g. "POST /v1/embeddings". */
export type HttpRoutes = Readonly<
  Record<string, (request: IncomingMessage, response: ServerResponse) => void>
>;

export interface HttpOptions {
  host: string;
  port: number;
  corsOrigins: readonly string[];
  /** Largest message received or sent, in bytes. */
  maxMessageBytes: number;
  interceptors: Interceptor[];
  shutdownSignal: AbortSignal;
  /** Throws when new calls are refused. */
  gate: () => void;
  /** Receives what was thrown outside of the interceptors and is nobody's declared error. */
  onFault: (error: unknown, path: string) => void;
  serving: () => boolean;
  routes: HttpRoutes;
}

/** Serves the methods as Connect and gRPC-Web over HTTP/1.1, and GET /healthz. */
export async function listenHttp(
  methods: readonly MethodImplSpec[],
  options: HttpOptions,
): Promise<Listener> {
  const calls = createHttpCalls(methods, {
    // gRPC itself needs HTTP/2 and has a port of its own.
    grpc: false,
    interceptors: options.interceptors,
    readMaxBytes: options.maxMessageBytes,
    writeMaxBytes: options.maxMessageBytes,
    shutdownSignal: options.shutdownSignal,
    gate: options.gate,
    onFault: options.onFault,
    // Compressed requests are understood; responses are not compressed: the origin or ingress in front does that.
    acceptCompression: [compressionGzip, compressionBrotli],
    compressMinBytes: options.maxMessageBytes + 1,
  });
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (handleCors(request, response, options.corsOrigins)) return;
    const path = request.url?.split("?", 1)[0] ?? "";
    const route = options.routes[`${request.method} ${path}`];
    if (route) route(request, response);
    else if (path === "/healthz") healthz(response, options.serving());
    else if (!calls.handle(request, response)) notFound(response);
  };

  const open = new Set<ServerResponse>();
  /** Connections that have not sent anything yet, as browsers and clients keep them ready: to Node's server they are busy. */
  const unused = new Set<Socket>();
  let closing = false;
  const server = createServer((request, response) => {
    open.add(response);
    unused.delete(request.socket);
    response.once("close", () => {
      open.delete(response);
      if (closing) server.closeIdleConnections();
    });
    if (closing) response.setHeader("connection", "close");
    answer(request, response);
  });
  server.on("connection", (socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  // Longer than proxies keep an idle connection: the side that closes first must not be the one that is written to.
  server.keepAliveTimeout = 75_000;

  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", (error) =>
      reject(cannotListen(`${options.host}:${options.port}`, "HTTP_PORT", error)),
    );
    server.listen(options.port, options.host, () => resolve((server.address() as AddressInfo).port));
  });
  return {
    port,
    close: () =>
      new Promise((resolve, reject) => {
        closing = true;
        for (const response of open) if (!response.headersSent) response.setHeader("connection", "close");
        server.close((error) => (error ? reject(error) : resolve()));
        for (const socket of unused) socket.destroy();
      }),
    destroy: () => server.closeAllConnections(),
  };
}

/** Adds the headers that let a page of an allowed origin read the response. @returns true when it was a preflight. */
function handleCors(request: IncomingMessage, response: ServerResponse, allowed: readonly string[]): boolean {
  const { origin } = request.headers;
  if (allowed.length === 0 || origin === undefined) return false;
  const all = allowed.includes("*");
  if (!all) response.setHeader("vary", "Origin");
  if (all || allowed.includes(origin)) {
    response.setHeader("access-control-allow-origin", all ? "*" : origin);
    response.setHeader("access-control-expose-headers", cors.exposedHeaders.join(", "));
  }
  if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined)
    return false;
  if (response.hasHeader("access-control-allow-origin")) {
    response.setHeader("access-control-allow-methods", cors.allowedMethods.join(", "));
    response.setHeader("access-control-allow-headers", ALLOWED_HEADERS);
    response.setHeader("access-control-max-age", PREFLIGHT_MAX_AGE_S);
  }
  response.writeHead(204).end();
  return true;
}

function healthz(response: ServerResponse, serving: boolean): void {
  json(response, serving ? 200 : 503, { status: serving ? "SERVING" : "NOT_SERVING" });
}

function notFound(response: ServerResponse): void {
  json(response, 404, { code: "unimplemented", message: "no such path: calls are POST /<service>/<method>" });
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}
