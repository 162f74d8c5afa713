import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { credentials, Client as GrpcClient, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import {
  createClient,
  createContextValues,
  type Client,
  type ConnectRouter,
  type Transport,
} from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { loadConfig } from "@kindred/config";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@kindred/contracts/grpc-health/v1";
import { ServerReflection } from "@kindred/contracts/grpc-reflection/v1";
import { ImageService } from "@kindred/contracts/vector-store/v1";
import { invalidField, KindredError } from "@kindred/errors";
import { activeTraceparent, createLogger, traceIdOf, withRemoteTrace } from "@kindred/telemetry";
import {
  createInMemoryTransport,
  fromConnectError,
  openChannel,
  retryable,
  serve,
  serverSettings,
  type Channel,
  type RpcServer,
} from "../src/index.ts";

const logger = createLogger({ component: "test", level: "silent" });

function start(
  routes: (router: ConnectRouter) => void,
  env: Record<string, string> = {},
): Promise<RpcServer> {
  const config = loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), { ...env });
  return serve({ config, routes, logger });
}

/** A small service with one behaviour for each text. */
const routes = (router: ConnectRouter): void => {
  router.service(EmbeddingService, {
    async embed({ texts }, context) {
      switch (texts[0]) {
        case undefined:
          throw invalidField("texts", "must hold 1 to 10000 texts, is empty");
        case "boom":
          throw new Error("password is hunter2");
        case "busy":
          throw new KindredError("resource-exhausted", "the queue is full", {
            retryAfterMs: 1500,
            metadata: { queued: "9" },
          });
        case "trace":
          return { tokenCounts: [], space: { id: traceIdOf(activeTraceparent() ?? "") ?? "" } };
        case "wait":
          await new Promise((_, reject) => {
            context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
          });
          return {};
        default:
          return {
            tokenCounts: texts.map((text) => text.length),
            vectors: new Uint8Array(Number(texts[1] ?? 4)),
          };
      }
    },
  });
  router.service(ImageService, {
    async batchAddImages(requests) {
      let images = 0n;
      for await (const request of requests) {
        if (request.images.length === 0) throw invalidField("images", "must not be empty");
        images += BigInt(request.images.length);
      }
      return { imagesAdded: images };
    },
  });
};

let server: RpcServer;
let channel: Channel;
beforeAll(async () => {
  server = await start(routes, { MAX_MESSAGE_BYTES: "1MiB" });
  server.setServing(true);
  channel = openChannel({ address: `127.0.0.1:${server.grpcPort}` });
});
afterAll(async () => {
  await channel[Symbol.asyncDispose]();
  await server.drain();
});

const baseUrl = (): string => `http://127.0.0.1:${server.httpPort}`;
const TRANSPORTS: Record<string, () => Transport> = {
  gRPC: () => channel.transport,
  Connect: () => createConnectTransport({ baseUrl: baseUrl(), httpVersion: "1.1" }),
  "Connect with JSON and GET": () =>
    createConnectTransport({
      baseUrl: baseUrl(),
      httpVersion: "1.1",
      useBinaryFormat: false,
      useHttpGet: true,
    }),
  "gRPC-Web": () => createGrpcWebTransport({ baseUrl: baseUrl(), httpVersion: "1.1" }),
  "in memory": () => createInMemoryTransport(routes, { logger }),
};

async function failure(call: Promise<unknown>): Promise<KindredError> {
  return call.then(
    () => {
      throw new Error("the call should have failed");
    },
    (error: unknown) => fromConnectError(error),
  );
}

describe.each(Object.keys(TRANSPORTS))("over %s", (name) => {
  let client: Client<typeof EmbeddingService>;
  beforeAll(() => {
    client = createClient(EmbeddingService, (TRANSPORTS[name] as () => Transport)());
  });

  test("a call is answered", async () => {
    expect((await client.embed({ texts: ["four", "4"] })).tokenCounts).toEqual([4, 1]);
  });

  test("bad input names the field", async () => {
    const error = await failure(client.embed({}));
    expect(error).toMatchObject({
      kind: "invalid-argument",
      message: "texts must hold 1 to 10000 texts, is empty",
      violations: [{ field: "texts", description: "must hold 1 to 10000 texts, is empty" }],
    });
  });

  test("retry delay and metadata travel", async () => {
    expect(await failure(client.embed({ texts: ["busy"] }))).toMatchObject({
      kind: "resource-exhausted",
      retryAfterMs: 1500,
      metadata: { queued: "9" },
    });
  });

  test("an unknown error keeps its message to itself", async () => {
    expect(await failure(client.embed({ texts: ["boom"] }))).toMatchObject({
      kind: "internal",
      message: "internal error",
    });
  });

  test("a method without an implementation is unimplemented", async () => {
    expect((await failure(client.info({}))).kind).toBe("unimplemented");
  });

  test("a deadline ends the call", async () => {
    expect((await failure(client.embed({ texts: ["wait"] }, { timeoutMs: 50 }))).kind).toBe(
      "deadline-exceeded",
    );
  });
});

describe("the gRPC port", () => {
  test("carries the caller's trace", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const client = createClient(EmbeddingService, channel.transport);
    const reply = await withRemoteTrace(traceparent, () => client.embed({ texts: ["trace"] }));
    expect(reply.space?.id).toBe("0af7651916cd43dd8448eb211c80319c");
  });

  test("a cancelled call reaches the implementation's signal", async () => {
    const seen = Promise.withResolvers<unknown>();
    await using other = await start((router) => {
      router.service(EmbeddingService, {
        embed: (_request, context) =>
          new Promise((_, reject) => {
            context.signal.addEventListener("abort", () => {
              seen.resolve("aborted");
              reject(context.signal.reason as Error);
            });
          }),
      });
    });
    await using toOther = openChannel({ address: `127.0.0.1:${other.grpcPort}` });
    const stop = new AbortController();
    const call = createClient(EmbeddingService, toOther.transport).embed(
      { texts: ["x"] },
      { signal: stop.signal },
    );
    setTimeout(() => stop.abort(), 50);
    expect((await failure(call)).kind).toBe("cancelled");
    expect(await seen.promise).toBe("aborted");
  });

  test("takes client streams, and ends them early on an error", async () => {
    const client = createClient(ImageService, channel.transport);
    async function* batches(count: number, badAt = -1) {
      for (let i = 0; i < count; i++) yield { images: i === badAt ? [] : [{}, {}] };
    }
    expect((await client.batchAddImages(batches(300))).imagesAdded).toBe(600n);
    expect(await failure(client.batchAddImages(batches(100_000, 3)))).toMatchObject({
      kind: "invalid-argument",
      violations: [{ field: "images" }],
    });
  });

  test("a caller that fails to produce its stream gets its own error", async () => {
    const client = createClient(ImageService, channel.transport);
    async function* broken() {
      yield { images: [{}] };
      throw new KindredError("data-loss", "the file ends in the middle");
    }
    expect(await failure(client.batchAddImages(broken()))).toMatchObject({ kind: "data-loss" });
  });

  test("reports health for each service and as a stream", async () => {
    const client = createClient(Health, channel.transport);
    for (const service of ["", EmbeddingService.typeName]) {
      expect((await client.check({ service })).status).toBe(Serving.SERVING);
    }
    expect((await failure(client.check({ service: "nobody" }))).kind).toBe("not-found");
    const seen: Serving[] = [];
    for await (const { status: now } of client.watch({ service: "" })) {
      seen.push(now);
      if (seen.length === 3) break;
      server.setServing(seen.length !== 1);
    }
    expect(seen).toEqual([Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING]);
  });

  test("describes itself: services, and files with their imports", async () => {
    const client = createClient(ServerReflection, channel.transport);
    const ask = async (
      messageRequest:
        { case: "listServices"; value: string } | { case: "fileContainingSymbol"; value: string },
    ) => {
      for await (const { messageResponse } of client.serverReflectionInfo(
        (async function* () {
          yield { messageRequest };
        })(),
      )) {
        return messageResponse;
      }
      throw new Error("no reply");
    };
    const listed = await ask({ case: "listServices", value: "" });
    expect(listed.case === "listServicesResponse" && listed.value.service.map((s) => s.name)).toEqual(
      expect.arrayContaining([EmbeddingService.typeName, ImageService.typeName, Health.typeName]),
    );
    const file = await ask({ case: "fileContainingSymbol", value: "kindred.embedding.v1.EmbedRequest" });
    // embedding.proto, embedding_space.proto and duration.proto.
    expect(file.case === "fileDescriptorResponse" && file.value.fileDescriptorProto.length).toBe(3);
    expect((await ask({ case: "fileContainingSymbol", value: "no.Such" })).case).toBe("errorResponse");
  });

  test("refuses malformed protobuf with INVALID_ARGUMENT and over-large messages with RESOURCE_EXHAUSTED", async () => {
    const raw = new GrpcClient(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure());
    const send = (bytes: Buffer): Promise<unknown> =>
      new Promise((resolve) => {
        raw.makeUnaryRequest(
          `/${EmbeddingService.typeName}/Embed`,
          (b: Buffer) => b,
          (b: Buffer) => b,
          bytes,
          (error) => resolve(error?.code),
        );
      });
    try {
      expect(await send(Buffer.from([0x0a, 0xff, 0xff, 0x01]))).toBe(status.INVALID_ARGUMENT);
      expect(await send(Buffer.alloc(2 ** 20 + 1))).toBe(status.RESOURCE_EXHAUSTED);
    } finally {
      raw.close();
    }
  });

  test("grpcurl lists, describes and calls", async () => {
    const grpcurl = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)("grpcurl", ["-plaintext", ...args])).stdout;
    try {
      await promisify(execFile)("grpcurl", ["-version"]);
    } catch {
      process.stderr.write("skipped: grpcurl is not on PATH\n");
      return;
    }
    const address = `127.0.0.1:${server.grpcPort}`;
    expect(await grpcurl(address, "list")).toContain(EmbeddingService.typeName);
    expect(await grpcurl(address, "describe", `${EmbeddingService.typeName}.Embed`)).toContain(
      "EmbedRequest",
    );
    expect(await grpcurl("-d", '{"texts":["abc"]}', address, `${EmbeddingService.typeName}/Embed`)).toContain(
      "tokenCounts",
    );
    expect(await grpcurl(address, "grpc.health.v1.Health/Check")).toContain("SERVING");
  });
});

describe("the HTTP port", () => {
  const post = (body: BodyInit, contentType: string): Promise<Response> =>
    fetch(`${baseUrl()}/${EmbeddingService.typeName}/Embed`, {
      method: "POST",
      headers: { "content-type": contentType },
      body,
    });

  test("answers curl with JSON", async () => {
    const response = await post('{"texts":["abc"]}', "application/json");
    expect(await response.json()).toMatchObject({ tokenCounts: [3] });
  });

  test("refuses what is malformed and what is too large", async () => {
    expect((await post("{", "application/json")).status).toBe(400);
    expect((await post(Uint8Array.of(0x0a, 0xff, 0xff, 0x01), "application/proto")).status).toBe(400);
    const large = await post(JSON.stringify({ texts: ["x".repeat(2 ** 20)] }), "application/json");
    expect(await large.json()).toMatchObject({ code: "resource_exhausted" });
  });

  test("has /healthz, and says so when there is no such path", async () => {
    expect((await fetch(`${baseUrl()}/healthz`)).status).toBe(200);
    expect((await fetch(`${baseUrl()}/nothing`)).status).toBe(404);
  });

  test("lets pages of the configured origins in, and no others", async () => {
    await using open = await start(routes, { CORS_ORIGINS: "http://localhost:5173" });
    const preflight = (origin: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${open.httpPort}/${EmbeddingService.typeName}/Embed`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST" },
      });
    const allowed = await preflight("http://localhost:5173");
    expect(allowed.headers.get("access-control-allow-origin")).toBe("http://localhost:5173");
    expect(allowed.headers.get("access-control-allow-headers")?.toLowerCase()).toContain(
      "connect-protocol-version",
    );
    expect((await preflight("http://evil.example")).headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("drain", () => {
  /** A server whose calls wait until `release`, or until they are aborted. */
  async function waiting(env: Record<string, string>) {
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const slow = await start((router) => {
      router.service(EmbeddingService, {
        async embed(_request, context) {
          entered.resolve();
          await Promise.race([
            gate.promise,
            new Promise((_, reject) => {
              context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
            }),
          ]);
          return { tokenCounts: [7] };
        },
      });
    }, env);
    slow.setServing(true);
    return { slow, entered: entered.promise, release: gate.resolve };
  }

  test.each(["gRPC", "HTTP"])(
    "a call in flight on the %s port finishes, and a new one is refused",
    async (port) => {
      const { slow, entered, release } = await waiting({ DRAIN_TIMEOUT: "10s" });
      await using toSlow = openChannel({
        address: `127.0.0.1:${slow.grpcPort}`,
        retry: { attempts: 1, initialBackoffMs: 1, maxBackoffMs: 1 },
      });
      const overHttp = createConnectTransport({
        baseUrl: `http://127.0.0.1:${slow.httpPort}`,
        httpVersion: "1.1",
      });
      const client = createClient(EmbeddingService, port === "gRPC" ? toSlow.transport : overHttp);
      const inFlight = client.embed({ texts: ["x"] });
      await entered;
      const drained = slow.drain();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect((await failure(client.embed({ texts: ["y"] }))).kind).toBe("unavailable");
      release();
      expect((await inFlight).tokenCounts).toEqual([7]);
      await drained;
    },
  );

  test.each(["gRPC", "HTTP"])(
    "a call on the %s port that outlives the drain is aborted as UNAVAILABLE",
    async (port) => {
      const { slow, entered } = await waiting({ DRAIN_TIMEOUT: "100ms" });
      await using toSlow = openChannel({
        address: `127.0.0.1:${slow.grpcPort}`,
        retry: { attempts: 1, initialBackoffMs: 1, maxBackoffMs: 1 },
      });
      const overHttp = createConnectTransport({
        baseUrl: `http://127.0.0.1:${slow.httpPort}`,
        httpVersion: "1.1",
      });
      const client = createClient(EmbeddingService, port === "gRPC" ? toSlow.transport : overHttp);
      const outcome = failure(client.embed({ texts: ["x"] }));
      await entered;
      await slow.drain();
      expect((await outcome).kind).toBe("unavailable");
    },
  );

  test("health says NOT_SERVING during the grace, while calls are still taken", async () => {
    const { slow, release } = await waiting({ SHUTDOWN_GRACE: "300ms" });
    await using toSlow = openChannel({ address: `127.0.0.1:${slow.grpcPort}` });
    release();
    const drained = slow.drain();
    const [health, call] = await Promise.all([
      createClient(Health, toSlow.transport).check({}),
      createClient(EmbeddingService, toSlow.transport).embed({ texts: ["x"] }),
    ]);
    expect(health.status).toBe(Serving.NOT_SERVING);
    expect(call.tokenCounts).toEqual([7]);
    await drained;
  });
});

describe("a peer that restarts", () => {
  const counting = () => {
    const handler = jest.fn(() => ({}));
    return {
      handler,
      routes: (router: ConnectRouter) => void router.service(EmbeddingService, { embed: handler }),
    };
  };

  test("is ridden out by reads, and by writes that may be repeated", async () => {
    const first = await start(counting().routes);
    const port = first.grpcPort;
    await using toPeer = openChannel({ address: `127.0.0.1:${port}` });
    const client = createClient(EmbeddingService, toPeer.transport);
    const images = createClient(ImageService, toPeer.transport);
    await client.embed({ texts: ["x"] });
    await first.drain();

    expect((await failure(images.addImage({}))).kind).toBe("unavailable");
    const read = client.embed({ texts: ["x"] });
    const write = images.addImage({}, { contextValues: createContextValues().set(retryable, true) });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await using _second = await start(
      (router) => {
        counting().routes(router);
        router.service(ImageService, { addImage: () => ({ image: { id: 5n } }) });
      },
      { GRPC_PORT: String(port) },
    );
    await read;
    expect((await write).image?.id).toBe(5n);
  });
});

test("a port that is taken is one clear line with the setting to change", async () => {
  await expect(start(routes, { HTTP_PORT: String(server.httpPort) })).rejects.toThrow(
    `cannot listen for HTTP on 127.0.0.1:${server.httpPort}: another process has it; set HTTP_PORT to a free port`,
  );
  await expect(start(routes, { GRPC_PORT: String(server.grpcPort) })).rejects.toThrow(
    `cannot listen for gRPC on 127.0.0.1:${server.grpcPort}: another process has it; set GRPC_PORT to a free port`,
  );
});
