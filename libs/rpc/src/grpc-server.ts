import type { Http2Server, ServerOptions } from "node:http2";
import { logVerbosity, Server, ServerCredentials, setLogger, setLogVerbosity } from "@grpc/grpc-js";
import type { MethodImplSpec } from "@connectrpc/connect";
import { KindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { bridge, type BridgeOptions } from "./grpc-bridge.ts";
import { retireConnection } from "./retire-connection.ts";

/** HTTP/2 flow control window, in bytes. Node's 64 KiB cost a round trip for every 64 KiB of a large message. */
export const FLOW_CONTROL_WINDOW_BYTES = 4 * 2 ** 20;

export interface Listener {
  readonly port: number;
  /** Takes no more connections, lets the calls in flight end, closes idle connections; resolves when all are closed. */
  close(): Promise<void>;
  /** Cuts what is left. */
  destroy(): void;
}

export interface GrpcOptions extends BridgeOptions {
  host: string;
  port: number;
  logger: Logger;
}

/** A connection is retired after so long. */
const CONNECTION_AGE_MS = 600_000;

/**
 * grpc-js has an option for the window, but heeds it in clients only (1.14). Large uploads came in 1.6 to 2.2 times as fast
 * over loopback with these two fields set; a test sees to it that they still mean what they meant.
 */
interface Internals {
  commonServerOptions: ServerOptions;
  http2Servers: ReadonlyMap<Http2Server, unknown>;
}

/** Serves the methods with grpc-js. @throws KindredError unavailable when the port is taken. */
export async function listenGrpc(
  methods: readonly MethodImplSpec[],
  options: GrpcOptions,
): Promise<Listener> {
  quietGrpcJs(options.logger);
  const server = new Server({
    "grpc.max_receive_message_length": options.maxMessageBytes,
    "grpc.max_send_message_length": options.maxMessageBytes,
    // A peer that vanished without a word is noticed after a minute and 20 seconds.
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
  });
  const internals: Internals = server as never;
  internals.commonServerOptions.settings = { initialWindowSize: FLOW_CONTROL_WINDOW_BYTES };
  const { definition, implementation } = bridge(methods, options);
  server.addService(definition, implementation);
  const port = await bind(server, options);
  for (const http2Server of internals.http2Servers.keys()) {
    http2Server.on("session", (session) => {
      session.setLocalWindowSize(FLOW_CONTROL_WINDOW_BYTES);
      retireConnection(session, CONNECTION_AGE_MS);
    });
  }
  return {
    port,
    close: () =>
      new Promise((resolve, reject) => {
        server.tryShutdown((error) => (error ? reject(error) : resolve()));
      }),
    destroy: () => server.forceShutdown(),
  };
}

function bind(server: Server, { host, port }: GrpcOptions): Promise<number> {
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(authority, ServerCredentials.createInsecure(), (error, bound) => {
      if (!error) resolve(bound);
      else reject(cannotListen(authority, "GRPC_PORT", error));
    });
  });
}

/** One clear line about a port that cannot be had. */
export function cannotListen(authority: string, setting: string, cause: Error): KindredError {
  const why = cause.message.includes("EADDRINUSE")
    ? `${authority} is in use: stop what listens there, or set ${setting} to another port`
    : `cannot listen on ${authority} (${cause.message}): check HOST and ${setting}`;
  return new KindredError("unavailable", why, { cause });
}

/** grpc-js writes to the console by itself; what it has to say reaches us as errors as well. */
function quietGrpcJs(logger: Logger): void {
  const debug = (line: unknown): void => logger.debug({ grpc: String(line) }, "grpc-js");
  setLogger({ error: debug, info: debug, debug });
  setLogVerbosity(logVerbosity.ERROR);
}
