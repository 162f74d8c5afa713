import { Client as GrpcClient, credentials, type ServiceError } from "@grpc/grpc-js";
import { createClient, type Client, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { loadConfig } from "@kindred/config";
import type { KindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import {
  createInMemoryTransport,
  fromConnectError,
  openChannel,
  serve,
  serverSettings,
  type RpcServer,
  type ServeOptions,
} from "../src/index.ts";
import { ProbeService } from "./probe.ts";

export type ProbeImpl = Partial<ServiceImpl<typeof ProbeService>>;

export interface Line {
  level: string;
  message: string;
  fields: Record<string, unknown>;
}

/** A logger that keeps what it is given. */
export function recordingLogger(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const writer = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void lines.push({ level, message, fields });
  const levels = ["trace", "debug", "info", "warn", "error", "fatal"];
  return {
    lines,
    logger: Object.fromEntries(levels.map((level) => [level, writer(level)])) as unknown as Logger,
  };
}

/** A server on free ports, serving. */
export async function start(
  impl: ProbeImpl,
  options: Partial<ServeOptions> & { env?: Record<string, string> } = {},
): Promise<RpcServer> {
  const server = await serve({
    config: loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), { DRAIN_TIMEOUT: "0s", ...options.env }),
    routes: (router) => router.service(ProbeService, impl),
    logger: recordingLogger().logger,
    ...options,
  });
  server.setServing(true);
  return server;
}

/** A server and a client over its gRPC port that tries once. */
export async function startWithClient(impl: ProbeImpl, env: Record<string, string> = {}) {
  const server = await start(impl, { env });
  const channel = openChannel({
    address: `127.0.0.1:${server.grpcPort}`,
    retry: { attempts: 1, initialBackoffMs: 1, maxBackoffMs: 1 },
  });
  return {
    server,
    channel,
    client: createClient(ProbeService, channel.transport),
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await server.drain();
    },
  };
}

/** Every way to reach an implementation, by name. */
export interface Ways extends AsyncDisposable {
  server: RpcServer;
  lines: Line[];
  client(way: string): Client<typeof ProbeService>;
}

export const WAYS = ["gRPC", "Connect", "Connect with JSON and GET", "gRPC-Web", "memory"];

export async function everyWay(impl: ProbeImpl, env: Record<string, string> = {}): Promise<Ways> {
  const { logger, lines } = recordingLogger();
  const server = await start(impl, { env, logger });
  const channel = openChannel({ address: `127.0.0.1:${server.grpcPort}` });
  const http = { baseUrl: `http://127.0.0.1:${server.httpPort}`, httpVersion: "1.1" } as const;
  const transports: Record<string, Transport> = {
    gRPC: channel.transport,
    Connect: createConnectTransport(http),
    "Connect with JSON and GET": createConnectTransport({
      ...http,
      useBinaryFormat: false,
      useHttpGet: true,
    }),
    "gRPC-Web": createGrpcWebTransport(http),
    memory: createInMemoryTransport((router) => router.service(ProbeService, impl), { logger }),
  };
  return {
    server,
    lines,
    client: (way) => createClient(ProbeService, transports[way] as Transport),
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await server.drain();
    },
  };
}

/** What a call fails with. @throws when it does not fail. */
export async function failure(call: Promise<unknown>): Promise<KindredError> {
  let value: unknown;
  try {
    value = await call;
  } catch (error) {
    return fromConnectError(error);
  }
  throw new Error(`the call should have failed, but gave ${String(value)}`);
}

const same = (bytes: Buffer): Buffer => bytes;

/** The answer to bytes that no generated client would send. */
export function sendRaw(
  server: RpcServer,
  method: string,
  bytes: Buffer,
): Promise<{ code: number; details: string; metadata: Record<string, unknown> }> {
  const raw = new GrpcClient(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    raw.makeUnaryRequest(
      `/probe.v1.ProbeService/${method}`,
      same,
      same,
      bytes,
      (error: ServiceError | null) => {
        raw.close();
        if (error === null) reject(new Error("the call should have failed"));
        else resolve({ code: error.code, details: error.details, metadata: error.metadata.getMap() });
      },
    );
  });
}

/** An HTTP request to a call's path. */
export function post(
  server: RpcServer,
  method: string,
  body: BodyInit,
  contentType = "application/json",
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.httpPort}/probe.v1.ProbeService/${method}`, {
    method: "POST",
    headers: { "content-type": contentType, ...headers },
    body,
  });
}

/** Bytes in the envelope that gRPC, gRPC-Web and Connect streams put around messages. */
export function envelope(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(5 + bytes.byteLength);
  new DataView(framed.buffer).setUint32(1, bytes.byteLength);
  framed.set(bytes, 5);
  return framed;
}

/** What `read` gives once it has stopped growing. */
export async function settled(read: () => number): Promise<number> {
  for (let before = -1, now = read(); ; before = now, now = read()) {
    if (now > 0 && now === before) return now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
