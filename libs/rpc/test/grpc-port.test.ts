import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:http2";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Client as GrpcClient, credentials } from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { loadConfig } from "@kindred/config";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@kindred/contracts/grpc-health/v1";
import {
  ServerReflection,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "@kindred/contracts/grpc-reflection/v1";
import { invalidField } from "@kindred/errors";
import { openChannel, serve, serverSettings, type Channel, type RpcServer } from "../src/index.ts";
import { failure, recordingLogger, start, until } from "./fixture.ts";

let server: RpcServer;
let channel: Channel;
beforeAll(async () => {
  server = await serve({
    config: loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), { DRAIN_TIMEOUT: "0s" }),
    logger: recordingLogger().logger,
    routes: (router) =>
      router.service(EmbeddingService, {
        embed: ({ texts }) => {
          if (texts.length === 0) throw invalidField("texts", "must hold 1 to 10,000 texts, is empty");
          return { tokenCounts: texts.map((text) => text.length) };
        },
      }),
  });
  channel = openChannel({ address: `127.0.0.1:${server.grpcPort}` });
});
afterAll(async () => {
  await channel[Symbol.asyncDispose]();
  await server.drain();
});

describe("health", () => {
  test("starts NOT_SERVING, and is known overall and for each service", async () => {
    const { check, list } = createClient(Health, channel.transport);
    const everybody = ["", EmbeddingService.typeName];
    for (const service of everybody) expect((await check({ service })).status).toBe(Serving.NOT_SERVING);
    server.setServing(true);
    for (const service of everybody) expect((await check({ service })).status).toBe(Serving.SERVING);
    expect((await list({})).statuses).toMatchObject(
      Object.fromEntries(everybody.map((service) => [service, { status: Serving.SERVING }])),
    );
  });

  test("of a service that is not here is NOT_FOUND, and SERVICE_UNKNOWN to whoever watches", async () => {
    const { check, watch } = createClient(Health, channel.transport);
    expect((await failure(check({ service: "nobody" }))).kind).toBe("not-found");
    const stop = new AbortController();
    const watching = watch({ service: "nobody" }, { signal: stop.signal })[Symbol.asyncIterator]();
    expect((await watching.next()).value?.status).toBe(Serving.SERVICE_UNKNOWN);
    stop.abort();
    expect((await failure(watching.next())).kind).toBe("cancelled");
  });

  test("changes reach whoever watches, each once", async () => {
    const { watch } = createClient(Health, channel.transport);
    const stop = new AbortController();
    const watching = watch({ service: EmbeddingService.typeName }, { signal: stop.signal })[
      Symbol.asyncIterator
    ]();
    expect((await watching.next()).value?.status).toBe(Serving.SERVING);
    server.setServing(true);
    server.setServing(false);
    expect((await watching.next()).value?.status).toBe(Serving.NOT_SERVING);
    server.setServing(true);
    expect((await watching.next()).value?.status).toBe(Serving.SERVING);
    stop.abort();
    expect((await failure(watching.next())).kind).toBe("cancelled");
  });
});

describe("reflection", () => {
  type Asked = NonNullable<ServerReflectionRequest["messageRequest"]>;

  async function ask(...asked: Asked[]) {
    const { serverReflectionInfo } = createClient(ServerReflection, channel.transport);
    async function* requests() {
      for (const messageRequest of asked) yield { messageRequest };
    }
    const replies = await Array.fromAsync(serverReflectionInfo(requests()));
    return replies.map(({ messageResponse }) => messageResponse);
  }

  test("lists the services", async () => {
    const [listed] = await ask({ case: "listServices", value: "" });
    expect(listed?.case === "listServicesResponse" && listed.value.service.map(({ name }) => name)).toEqual([
      EmbeddingService.typeName,
      Health.typeName,
      ServerReflection.typeName,
    ]);
  });

  test("gives the file of any symbol, with all that it imports", async () => {
    const symbols = ["EmbeddingService", "EmbeddingService.Embed", "EmbedRequest", "Priority"];
    const replies = await ask(
      ...symbols.map((name): Asked => ({
        case: "fileContainingSymbol",
        value: `kindred.embedding.v1.${name}`,
      })),
      { case: "fileByFilename", value: "kindred/embedding/v1/embedding.proto" },
    );
    for (const reply of replies) {
      const files = reply.case === "fileDescriptorResponse" ? reply.value.fileDescriptorProto : [];
      expect(files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name).toSorted()).toEqual([
        "google/protobuf/duration.proto",
        "google/protobuf/timestamp.proto",
        "kindred/common/v1/embedding_space.proto",
        "kindred/embedding/v1/embedding.proto",
      ]);
    }
  });

  test("speaks v1alpha as well, for tools that know only that", async () => {
    const client = new GrpcClient(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure());
    const call = client.makeBidiStreamRequest(
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
      (request: Uint8Array) => Buffer.from(request),
      (reply) => fromBinary(ServerReflectionResponseSchema, reply),
    );
    call.write(
      toBinary(
        ServerReflectionRequestSchema,
        create(ServerReflectionRequestSchema, { messageRequest: { case: "listServices", value: "" } }),
      ),
    );
    call.end();
    const [reply] = await Array.fromAsync(call as AsyncIterable<ServerReflectionResponse>);
    expect(reply?.messageResponse.case).toBe("listServicesResponse");
    client.close();
  });

  test("answers about what is not there, and goes on", async () => {
    const replies = await ask(
      { case: "fileContainingSymbol", value: "no.Such" },
      { case: "fileByFilename", value: "no.proto" },
      { case: "allExtensionNumbersOfType", value: "no.Such" },
      { case: "fileContainingExtension", value: { containingType: "no.Such", extensionNumber: 1 } as never },
      { case: undefined },
      { case: "allExtensionNumbersOfType", value: "kindred.embedding.v1.EmbedRequest" },
    );
    expect(
      replies.map((reply) => (reply.case === "errorResponse" ? reply.value.errorCode : reply.case)),
    ).toEqual([5, 5, 5, 5, 3, "allExtensionNumbersResponse"]);
  });
});

test("large messages have a large window, of the connection and of each stream", async () => {
  const session = connect(`http://127.0.0.1:${server.grpcPort}`);
  await once(session, "remoteSettings");
  expect(session.remoteSettings.initialWindowSize).toBe(4 * 2 ** 20);
  // The connection's window is announced by a frame of its own.
  await until(() => session.state.remoteWindowSize === 4 * 2 ** 20);
  session.destroy();
});

test("a port that is taken is one clear line with the setting to change, and nothing is left listening", async () => {
  await expect(start({}, { env: { GRPC_PORT: String(server.grpcPort) } })).rejects.toThrow(
    `127.0.0.1:${server.grpcPort} is in use: stop what listens there, or set GRPC_PORT to another port`,
  );
  const free = await start({});
  const port = String(free.grpcPort);
  await free.drain();
  await expect(start({}, { env: { GRPC_PORT: port, HTTP_PORT: String(server.httpPort) } })).rejects.toThrow(
    `127.0.0.1:${server.httpPort} is in use: stop what listens there, or set HTTP_PORT to another port`,
  );
  await (await start({}, { env: { GRPC_PORT: port } })).drain();
});

function grpcurlPath(): string | undefined {
  for (const path of ["grpcurl", join(homedir(), "go/bin/grpcurl")]) {
    try {
      execFileSync(path, ["-version"], { stdio: "ignore" });
      return path;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

const grpcurl = grpcurlPath();
const run = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(grpcurl as string, ["-plaintext", ...args])).stdout;
const address = (): string => `127.0.0.1:${server.grpcPort}`;

const describeWithGrpcurl = grpcurl === undefined ? describe.skip : describe;

describeWithGrpcurl(grpcurl === undefined ? "skipped, grpcurl is not installed: grpcurl" : "grpcurl", () => {
  test("lists", async () => {
    expect((await run(address(), "list")).trim().split("\n").toSorted()).toEqual(
      [EmbeddingService, Health, ServerReflection].map(({ typeName }) => typeName).toSorted(),
    );
    expect(await run(address(), "list", EmbeddingService.typeName)).toContain("EmbeddingService.Embed");
  });

  test("describes", async () => {
    expect(await run(address(), "describe", `${EmbeddingService.typeName}.Embed`)).toContain("EmbedRequest");
    expect(await run(address(), "describe", "kindred.common.v1.EmbeddingSpace")).toContain(
      "uint32 dimensions",
    );
  });

  test("shows what an error carries", async () => {
    const call = run("-d", "{}", address(), `${EmbeddingService.typeName}/Embed`);
    await expect(call).rejects.toMatchObject({
      stderr: expect.stringMatching(
        /Code: InvalidArgument[^]*"field": "texts"[^]*"reason": "INVALID_ARGUMENT"/,
      ),
    });
  });

  test("calls", async () => {
    const reply = await run("-d", '{"texts":["abc"]}', address(), `${EmbeddingService.typeName}/Embed`);
    expect(JSON.parse(reply)).toEqual({ tokenCounts: [3] });
    expect(await run(address(), "grpc.health.v1.Health/Check")).toContain('"SERVING"');
  });
});
