import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, cors, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { KindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { bridgeService } from "./grpc-bridge.ts";
import { grpcChannelOptions } from "./grpc-options.ts";
import { createHealthState } from "./health.ts";
import { serverInterceptors } from "./interceptors.ts";
import { reflectionRoutes } from "./reflection.ts";
import type { ServerConfig } from "./server-settings.ts";

export interface ServeOptions {
  config: ServerConfig;
  /** Registers the implementations; both ports serve them. */
  routes: (router: ConnectRouter) => void;
  logger: Logger;
}

export interface RpcServer extends AsyncDisposable {
  /** The ports that were taken; of interest where the configuration says 0. */
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Health, overall and of each service; NOT_SERVING until this is called. */
  setServing(serving: boolean): void;
  /**
   * NOT_SERVING, SHUTDOWN_GRACE later no new calls, then waits for those in flight until DRAIN_TIMEOUT, aborts the rest
   * with UNAVAILABLE, and closes both ports. Safe to call again: it is the same drain. Disposing drains.
   */
  drain(): Promise<void>;
}

interface Registration {
  service: DescService;
  impl: Partial<ServiceImpl<DescService>>;
}

/** Serves one implementation on a gRPC port (health and reflection included) and on an HTTP port (Connect, gRPC-Web). */
export async function serve({ config, routes, logger }: ServeOptions): Promise<RpcServer> {
  const registrations = collect(routes);
  const health = createHealthState(registrations.map(({ service }) => service.typeName));
  const shutdown = new AbortController();
  const allRoutes = (router: ConnectRouter): void => {
    routes(router);
    health.routes(router);
    reflectionRoutes([...registrations, ...collect(health.routes)].map(({ service }) => service))(router);
  };
  const interceptors = serverInterceptors(logger);

  const grpc = new GrpcServer(grpcChannelOptions(config.MAX_MESSAGE_BYTES));
  for (const { service, impl } of collect(allRoutes)) {
    const { definition, implementation } = bridgeService(service, impl, {
      interceptors,
      shutdownSignal: shutdown.signal,
    });
    grpc.addService(definition, implementation);
  }
  const http = createHttpServer({
    config,
    routes: allRoutes,
    interceptors,
    health,
    shutdownSignal: shutdown.signal,
  });

  const grpcPort = await listenGrpc(grpc, config);
  let httpPort: number;
  try {
    httpPort = await listenHttp(http, config);
  } catch (error) {
    grpc.forceShutdown();
    throw error;
  }
  logger.info({ host: config.HOST, grpc_port: grpcPort, http_port: httpPort }, "listening");

  const drainOnce = async (): Promise<void> => {
    health.set(false);
    await sleep(config.SHUTDOWN_GRACE);
    health.close();
    const closed = Promise.all([
      new Promise<void>((resolve) => grpc.tryShutdown(() => resolve())),
      new Promise<void>((resolve) => {
        http.close(() => resolve());
        http.closeIdleConnections();
      }),
    ]);
    const deadline = AbortSignal.timeout(config.DRAIN_TIMEOUT);
    await Promise.race([closed, aborted(deadline)]);
    if (deadline.aborted) {
      logger.warn(
        { drain_timeout_ms: config.DRAIN_TIMEOUT },
        "calls in flight outlived the drain; aborting them",
      );
      shutdown.abort(new ConnectError("the server is shutting down", Code.Unavailable));
      // A moment for the aborted calls to send their status.
      await Promise.race([closed, sleep(ABORT_MOMENT_MS)]);
      grpc.forceShutdown();
      http.closeAllConnections();
      await closed;
    }
    logger.info("drained");
  };
  let draining: Promise<void> | undefined;
  const drain = (): Promise<void> => (draining ??= drainOnce());

  return {
    grpcPort,
    httpPort,
    setServing: (serving) => {
      if (draining === undefined) health.set(serving);
    },
    drain,
    [Symbol.asyncDispose]: drain,
  };
}

const ABORT_MOMENT_MS = 250;

/** What `routes` would register, without a server. */
function collect(routes: (router: ConnectRouter) => void): Registration[] {
  const found: Registration[] = [];
  const recorder: ConnectRouter = {
    handlers: [],
    service(service, impl) {
      found.push({ service, impl });
      return recorder;
    },
    rpc() {
      throw new TypeError("register whole services: a single RPC cannot be served on the gRPC port");
    },
  };
  routes(recorder);
  return found;
}

function createHttpServer(deps: {
  config: ServerConfig;
  routes: (router: ConnectRouter) => void;
  interceptors: ReturnType<typeof serverInterceptors>;
  health: { readonly serving: boolean };
  shutdownSignal: AbortSignal;
}): HttpServer {
  const rpc = connectNodeAdapter({
    routes: deps.routes,
    interceptors: deps.interceptors,
    readMaxBytes: deps.config.MAX_MESSAGE_BYTES,
    writeMaxBytes: deps.config.MAX_MESSAGE_BYTES,
    shutdownSignal: deps.shutdownSignal,
    // Vectors do not compress, and on loopback compression only costs.
    acceptCompression: [],
    grpc: false,
    fallback: (_request, response) => {
      response.writeHead(404, { "content-type": "application/json" });
      response.end(JSON.stringify({ code: "unimplemented", message: "no such method" }));
    },
  });
  const allowed = new Set(
    deps.config.CORS_ORIGINS.split(",")
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ""),
  );
  return createServer((request, response) => {
    applyCors(request, response, allowed);
    if (request.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    if (request.url === "/healthz") {
      const { serving } = deps.health;
      response.writeHead(serving ? 200 : 503, {
        "content-type": "application/json",
        "cache-control": "no-store",
      });
      response.end(JSON.stringify({ status: serving ? "SERVING" : "NOT_SERVING" }));
      return;
    }
    rpc(request, response);
  });
}

function applyCors(request: IncomingMessage, response: ServerResponse, allowed: ReadonlySet<string>): void {
  const { origin } = request.headers;
  if (origin === undefined || !(allowed.has("*") || allowed.has(origin))) return;
  response.setHeader("access-control-allow-origin", allowed.has("*") ? "*" : origin);
  response.setHeader("vary", "origin");
  response.setHeader("access-control-expose-headers", cors.exposedHeaders.join(", "));
  if (request.method !== "OPTIONS") return;
  response.setHeader("access-control-allow-methods", cors.allowedMethods.join(", "));
  response.setHeader("access-control-allow-headers", [...cors.allowedHeaders, "traceparent"].join(", "));
  response.setHeader("access-control-max-age", "7200");
}

async function listenGrpc(server: GrpcServer, { HOST, GRPC_PORT }: ServerConfig): Promise<number> {
  const host = HOST.includes(":") ? `[${HOST}]` : HOST;
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${GRPC_PORT}`, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(cannotListen("gRPC", "GRPC_PORT", HOST, GRPC_PORT, error));
    });
  });
}

async function listenHttp(server: HttpServer, { HOST, HTTP_PORT }: ServerConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen("HTTP", "HTTP_PORT", HOST, HTTP_PORT, error)));
    server.listen(HTTP_PORT, HOST, () => resolve((server.address() as AddressInfo).port));
  });
}

function cannotListen(
  protocol: string,
  setting: string,
  host: string,
  port: number,
  cause: Error,
): KindredError {
  const taken = messageOf(cause).includes("EADDRINUSE");
  const why = taken ? "another process has it" : messageOf(cause);
  return new KindredError(
    "unavailable",
    `cannot listen for ${protocol} on ${host}:${port}: ${why}; set ${setting} to a free port`,
    {
      cause,
    },
  );
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
