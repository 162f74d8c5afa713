import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { Agent, createServer, request as httpRequest } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { loadConfig } from "@kindred/config";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import { ImageService, SearchService } from "@kindred/contracts/vector-store/v1";
import { serve, serverSettings, type RpcServer } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import { configSchema } from "./config.ts";
import { listenOrigin, type RunningOrigin } from "./listen.ts";

const logger = silentLogger();
let folder: string;
let vectorStore: RpcServer;
let origin: RunningOrigin;
const seen: number[] = [];

/** Calls that the service holds back, for as long as the test wants. */
const waiting = {
  arrived: Promise.withResolvers<void>(),
  cancelled: Promise.withResolvers<void>(),
  release: Promise.withResolvers<void>(),
  async untilCancelled(signal: AbortSignal): Promise<void> {
    waiting.arrived.resolve();
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    waiting.cancelled.resolve();
  },
  async untilReleased(): Promise<void> {
    waiting.arrived.resolve();
    await waiting.release.promise;
  },
  reset(): void {
    for (const name of ["arrived", "cancelled", "release"] as const) waiting[name] = Promise.withResolvers();
  },
};

/** An origin before the given vector store; nothing listens at the other services' addresses. */
async function startOrigin(env: Record<string, string> = {}): Promise<RunningOrigin> {
  const nowhere = "http://127.0.0.1:9";
  const config = loadConfig(configSchema, {
    HTTP_PORT: "0",
    EMBEDDING_URL: nowhere,
    VECTOR_STORE_URL: `http://127.0.0.1:${vectorStore.httpPort}/`,
    GENERATION_TRACKING_URL: nowhere,
    METRICS_URL: nowhere,
    MEDIA_ROOT: join(folder, "media"),
    DASHBOARD_DIST: join(folder, "dist"),
    ...env,
  });
  return await listenOrigin(config, { logger });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindred-origin-"));
  await mkdir(join(folder, "media/animals"), { recursive: true });
  await mkdir(join(folder, "dist/assets"), { recursive: true });
  await writeFile(join(folder, "media/animals/cat.png"), "picture");
  await writeFile(join(folder, "secret.txt"), "secret");
  await writeFile(join(folder, "dist/index.html"), "<!doctype html><title>page</title>");
  await writeFile(join(folder, "dist/assets/index-abc.js"), "1");
  vectorStore = await serve({
    config: loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), {}),
    logger,
    routes: (router) => {
      router.service(SearchService, {
        search: async (request, context) => {
          if (request.query.value === "wait") await waiting.untilCancelled(context.signal);
          if (request.query.value === "slow") await waiting.untilReleased();
          if (request.k === 0) throw new ConnectError("k must be 1 to 1000", Code.InvalidArgument);
          return { hits: [{ similarity: 0.5 }] };
        },
      });
      router.service(ImageService, {
        async batchAddImages(requests) {
          let images = 0;
          for await (const request of requests) {
            images += request.images.length;
            seen.push(images);
          }
          return { imagesAdded: BigInt(images) };
        },
      });
    },
  });
  vectorStore.setServing(true);
  origin = await startOrigin();
});

afterAll(async () => {
  await origin[Symbol.asyncDispose]();
  await vectorStore.drain();
  await rm(folder, { recursive: true });
});

const at = (path: string): string => `http://127.0.0.1:${origin.ready.httpPort}${path}`;

/** A request whose path is sent as it is: fetch() would tidy it up first. */
async function rawGet(path: string): Promise<string> {
  const socket = connect(origin.ready.httpPort, "127.0.0.1");
  socket.write(`GET ${path} HTTP/1.1\r\nhost: origin\r\nconnection: close\r\n\r\n`);
  let reply = "";
  for await (const chunk of socket) reply += String(chunk);
  return reply;
}

describe("calls", () => {
  test.each([true, false])("are passed on, with GET for reads: %s", async (useHttpGet) => {
    const client = createClient(
      SearchService,
      createConnectTransport({ baseUrl: at(""), httpVersion: "1.1", useHttpGet }),
    );
    expect((await client.search({ query: { case: "text", value: "x" } })).hits).toHaveLength(1);
    await expect(client.search({ k: 0 })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "k must be 1 to 1000",
    });
  });

  test("stream upwards without being collected first", async () => {
    const client = createClient(
      ImageService,
      createConnectTransport({ baseUrl: at(""), httpVersion: "1.1" }),
    );
    const reply = await client.batchAddImages(
      (async function* () {
        yield { images: [{}] };
        // The second batch leaves only after the service has had the first.
        while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        yield { images: [{}, {}] };
      })(),
    );
    expect(reply.imagesAdded).toBe(3n);
    expect(seen).toEqual([1, 3]);
  });

  test("to a service that is away are UNAVAILABLE", async () => {
    const client = createClient(
      MetricsService,
      createConnectTransport({ baseUrl: at(""), httpVersion: "1.1" }),
    );
    await expect(client.getDatabaseStats({})).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: "the metrics service cannot be reached",
    });
  });

  test("end at the service when their caller goes away before the reply", async () => {
    waiting.reset();
    const client = createClient(
      SearchService,
      createConnectTransport({ baseUrl: at(""), httpVersion: "1.1" }),
    );
    const caller = new AbortController();
    const call = client.search({ query: { case: "text", value: "wait" } }, { signal: caller.signal });
    await waiting.arrived.promise;
    caller.abort();
    await expect(call).rejects.toMatchObject({ code: Code.Canceled });
    await waiting.cancelled.promise;
  });

  test("may announce their body, as curl does with large ones", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const call = httpRequest(
        at(`/${SearchService.typeName}/Search`),
        { method: "POST", headers: { "content-type": "application/json", expect: "100-continue" } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      call.on("error", reject);
      call.on("continue", () => call.end('{"text": "x"}'));
      call.flushHeaders();
    });
    expect(status).toBe(200);
  });

  test("to a service that dies over them are UNAVAILABLE", async () => {
    const dying = createServer((request) => request.socket.destroy());
    await new Promise<void>((resolve) => {
      dying.listen(0, "127.0.0.1", resolve);
    });
    const { port } = dying.address() as AddressInfo;
    try {
      await using before = await startOrigin({ METRICS_URL: `http://127.0.0.1:${port}` });
      const baseUrl = `http://127.0.0.1:${before.ready.httpPort}`;
      const client = createClient(MetricsService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
      await expect(client.getDatabaseStats({})).rejects.toMatchObject({ code: Code.Unavailable });
    } finally {
      dying.close();
    }
  });

  test("that nobody answers are unimplemented", async () => {
    const response = await fetch(at("/kindred.nobody.v1.Service/Method"), { method: "POST", body: "{}" });
    expect([response.status, await response.json()]).toEqual([
      404,
      { code: "unimplemented", message: "nobody here answers /kindred.nobody.v1.Service/Method" },
    ]);
  });
});

test("readiness names each service", async () => {
  const response = await fetch(at("/readyz"));
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({
    services: {
      embedding: "UNREACHABLE",
      "vector-store": "SERVING",
      "generation-tracking": "UNREACHABLE",
      metrics: "UNREACHABLE",
    },
  });
  expect((await fetch(at("/healthz"))).status).toBe(200);
});

describe("pictures", () => {
  test("are served from their folder", async () => {
    const response = await fetch(at("/media/animals/cat.png"));
    expect(await response.text()).toBe("picture");
    expect(response.headers.get("content-type")).toBe("image/png");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test.each([
    "/media/../secret.txt",
    "/media/%2e%2e/secret.txt",
    "/media/..%2fsecret.txt",
    "/media/animals/..%2f..%2fsecret.txt",
    "/media/animals/%2e%2e%5c%2e%2e%5csecret.txt",
    "/media//etc/passwd",
    "/media/animals",
    "/media/",
  ])("and nothing else: %s", async (path) => {
    const reply = await rawGet(path);
    expect(reply).toMatch(/^HTTP\/1\.1 (400|403|404) /);
    expect(reply).not.toContain("secret\n");
    expect(reply).not.toMatch(/\r\n\r\nsecret|root:/);
  });
});

describe("the page", () => {
  test("is served at any path that a person may open, and asked for anew", async () => {
    for (const path of ["/", "/?q=cat", "/some/place"]) {
      const response = await fetch(at(path), { headers: { accept: "text/html" } });
      expect(response.status).toBe(200);
      expect(await response.text()).toContain("<title>page</title>");
      expect(response.headers.get("cache-control")).toBe("no-cache");
      expect(response.headers.get("content-security-policy")).toContain("default-src 'self'");
    }
  });

  test("keeps its assets for ever", async () => {
    const response = await fetch(at("/assets/index-abc.js"));
    expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect((await fetch(at("/assets/other.js"))).status).toBe(404);
  });

  test("says how to build it when it is not built", async () => {
    await using unbuilt = await startOrigin({ DASHBOARD_DIST: join(folder, "nowhere") });
    const response = await fetch(`http://127.0.0.1:${unbuilt.ready.httpPort}/`, {
      headers: { accept: "text/html" },
    });
    expect(response.status).toBe(503);
    expect(await response.text()).toContain("npm run build -w @kindred/dashboard");
  });
});

test("a port that is taken is one clear line", async () => {
  await expect(startOrigin({ HTTP_PORT: String(origin.ready.httpPort) })).rejects.toThrow(
    `cannot listen on 127.0.0.1:${origin.ready.httpPort}: another process has it; set HTTP_PORT to a free port`,
  );
});

describe("stopping", () => {
  const slowSearch = (running: RunningOrigin, agent: Agent): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const url = `http://127.0.0.1:${running.ready.httpPort}/${SearchService.typeName}/Search`;
      const headers = { "content-type": "application/json" };
      const call = httpRequest(url, { method: "POST", headers, agent }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      call.on("error", reject);
      call.end('{"text": "slow"}');
    });

  test("lets a call in flight finish, and does not wait for its connection to idle out", async () => {
    waiting.reset();
    const running = await startOrigin({ DRAIN_TIMEOUT: "1h" });
    const agent = new Agent({ keepAlive: true });
    try {
      const call = slowSearch(running, agent);
      await waiting.arrived.promise;
      const stopped = running[Symbol.asyncDispose]();
      waiting.release.resolve();
      expect(await call).toBe(200);
      await stopped;
    } finally {
      agent.destroy();
    }
  });

  test("cuts what outlives the drain timeout", async () => {
    waiting.reset();
    const running = await startOrigin({ DRAIN_TIMEOUT: "50ms" });
    const agent = new Agent({ keepAlive: true });
    try {
      const outcome = slowSearch(running, agent).catch((error: unknown) => error);
      await waiting.arrived.promise;
      await running[Symbol.asyncDispose]();
      expect(await outcome).toMatchObject({ code: "ECONNRESET" });
    } finally {
      waiting.release.resolve();
      agent.destroy();
    }
  });
});
