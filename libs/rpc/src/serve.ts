import { setMaxListeners } from "node:events";
import type { ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { messageOf } from "@kindred/errors";
import type { Logger, Metrics, Tracing } from "@kindred/telemetry";
import { listenGrpc, type Listener } from "./grpc-server.ts";
import { createHealthState } from "./health.ts";
import { listenHttp, type HttpRoutes } from "./http-server.ts";
import { serverInterceptors } from "./interceptors.ts";
import { observeRoutes } from "./observe-http.ts";
import { reflectionMethods } from "./reflection.ts";
import { recordRoutes, type Routes } from "./route-recorder.ts";
import type { ServerConfig } from "./server-settings.ts";

/** How long the answers to aborted calls may take to leave, before their connections are cut. */
const FLUSH_MS = 500;

export interface ServeOptions {
  config: ServerConfig;
  /** Registers the services; both ports serve the same implementation objects. */
  routes: Routes;
  logger: Logger;
  /** Gets kindred_rpc_server_… of the calls and kindred_http_server_… of httpRoutes, and is what GET /metrics on the HTTP port shows. It stays the caller's. */
  metrics?: Metrics;
  /** Records a span for each call and each request to httpRoutes; by default whoever records in this process does. It stays the caller's. */
  tracing?: Tracing;
  /** Plain HTTP on the HTTP port, by method and path, e.g. "POST /v1/embeddings". */
  httpRoutes?: HttpRoutes;
  /** Called when new calls begin to be refused: ends the calls that would go on for ever, such as streams of what changes. */
  onDrain?: () => void;
}

/** A service's two ports. Disposing of it drains it. */
export interface RpcServer extends AsyncDisposable {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Sets the health of the process ("") and of each service; a server starts NOT_SERVING. */
  setServing(serving: boolean): void;
  /**
   * Health turns NOT_SERVING; after SHUTDOWN_GRACE new calls are refused with UNAVAILABLE and those in flight finish; after
   * DRAIN_TIMEOUT the rest are aborted with UNAVAILABLE. Resolves when all connections are closed; calling it again gives
   * the same promise.
   */
  drain(): Promise<void>;
}

/** Listens on both ports. @throws KindredError unavailable when a port cannot be had; nothing is left listening then. */
export async function serve(options: ServeOptions): Promise<RpcServer> {
  const { config, logger } = options;
  const own = recordRoutes(options.routes);
  const health = createHealthState(own.services.map((service) => service.typeName));
  const healthRoutes = recordRoutes((router) => health.routes(router));
  const methods = [...own.methods, ...healthRoutes.methods];

  const shutdown = new AbortController();
  // Every call in flight listens to it.
  setMaxListeners(0, shutdown.signal);
  let refusing = false;
  const shared = {
    host: config.HOST,
    maxMessageBytes: config.MAX_MESSAGE_BYTES,
    interceptors: serverInterceptors(logger, options),
    shutdownSignal: shutdown.signal,
    gate: () => {
      if (refusing) throw shuttingDown();
    },
    onFault: (error: unknown, path: string) =>
      logger.warn({ err: error, method: path.slice(1) }, "call failed"),
    logger,
  };

  const grpc = await listenGrpc(
    [...methods, ...reflectionMethods([...own.services, ...healthRoutes.services])],
    {
      ...shared,
      port: config.GRPC_PORT,
    },
  );
  let http: Listener;
  try {
    http = await listenHttp(methods, {
      ...shared,
      port: config.HTTP_PORT,
      corsOrigins: config.CORS_ORIGINS,
      serving: () => health.serving,
      routes: {
        ...observeRoutes(options.httpRoutes ?? {}, options),
        ...(options.metrics && metricsRoutes(options.metrics, logger)),
      },
    });
  } catch (error) {
    grpc.destroy();
    throw error;
  }

  logger.info({ host: config.HOST, grpc_port: grpc.port, http_port: http.port }, "listening");

  const drain = async (): Promise<void> => {
    health.set(false);
    if (config.SHUTDOWN_GRACE > 0) await delay(config.SHUTDOWN_GRACE);
    refusing = true;
    health.close();
    options.onDrain?.();
    const closed = Promise.all([grpc.close(), http.close()]);
    if (await within(closed, config.DRAIN_TIMEOUT)) {
      logger.info("drained");
      return;
    }
    logger.warn(
      { drain_timeout_ms: config.DRAIN_TIMEOUT },
      "calls outlived the drain timeout and are aborted",
    );
    shutdown.abort(shuttingDown());
    await within(closed, FLUSH_MS);
    grpc.destroy();
    http.destroy();
    await closed;
  };
  let drained: Promise<void> | undefined;
  const drainOnce = (): Promise<void> => (drained ??= drain());
  return {
    grpcPort: grpc.port,
    httpPort: http.port,
    setServing: (serving) => {
      if (drained === undefined) health.set(serving);
    },
    drain: drainOnce,
    [Symbol.asyncDispose]: drainOnce,
  };
}

/** Prometheus' text format. Who is outside has no business there: origin and ingress pass on the paths of calls only. */
function metricsRoutes(metrics: Metrics, logger: Logger): HttpRoutes {
  const answer = async (response: ServerResponse): Promise<void> => {
    try {
      const { contentType, body } = await metrics.render();
      response.writeHead(200, {
        "content-type": contentType,
        "content-length": Buffer.byteLength(body),
        "cache-control": "no-store",
      });
      response.end(body);
    } catch (error) {
      logger.warn({ err: error }, "the metrics cannot be read");
      response.writeHead(500, { "content-type": "text/plain; charset=utf-8" });
      response.end(`the metrics cannot be read: ${messageOf(error)}\n`);
    }
  };
  const route: HttpRoutes[string] = (_request, response) => void answer(response);
  // Node sends no body in answer to a HEAD.
  return { "GET /metrics": route, "HEAD /metrics": route };
}

function shuttingDown(): ConnectError {
  return new ConnectError("the server is shutting down", Code.Unavailable);
}

/** Whether the promise is fulfilled in time. */
async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([promise.then(() => true), delay(ms, false, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}
