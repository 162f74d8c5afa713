import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Health } from "@kindred/contracts/grpc-health/v1";
import { ServerReflection } from "@kindred/contracts/grpc-reflection/v1";
import { KindredError } from "@kindred/errors";
import {
  createSpanRecorder,
  inSpan,
  startTracing,
  withRemoteTrace,
  type RecordedSpan,
  type Tracing,
} from "@kindred/telemetry";
import { afterEach, describe, expect, test } from "@jest/globals";
import { openChannel, type RpcServer } from "../src/index.ts";
import { failure, recordingLogger, start, until, type ProbeImpl } from "./fixture.ts";
import { ProbeService } from "./probe.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = `00-${TRACE}-b7ad6b7169203331-01`;

let open = new AsyncDisposableStack();
afterEach(async () => {
  await open.disposeAsync();
  open = new AsyncDisposableStack();
});

/** An app that records: a server, and what it made of each of its calls. */
async function app(component: string, impl: ProbeImpl) {
  const recorder = createSpanRecorder();
  const { logger } = recordingLogger();
  const tracing: Tracing = open.use(startTracing({ component, logger, processor: recorder.processor }));
  const server: RpcServer = open.use(await start(impl, { tracing }));
  const channel = open.use(
    openChannel({
      address: `127.0.0.1:${server.grpcPort}`,
      retry: { attempts: 3, initialBackoffMs: 1, maxBackoffMs: 1 },
    }),
  );
  return {
    server,
    spans: recorder.spans,
    client: createClient(ProbeService, channel.transport),
    address: `127.0.0.1:${server.grpcPort}`,
  };
}

const named = (spans: readonly RecordedSpan[]) =>
  spans.map(({ service, kind, name }) => `${service} ${kind} ${name.replace("probe.v1.ProbeService/", "")}`);

describe("a chain of calls", () => {
  test("is one trace, each span below the one that called it", async () => {
    const b = await app("b", {
      write: (request) => inSpan("store", { rows: 1 }, () => request),
    });
    const a = await app("a", { read: (request) => b.client.write(request) });
    await withRemoteTrace(CALLER, () => a.client.read({ text: "x" }));
    // The outermost client runs in no app's call: it goes to the app that started first.
    await until(() => a.spans.length === 2 && b.spans.length === 3);
    expect(named(a.spans)).toEqual(["kindred-a client Write", "kindred-a server Read"]);
    expect(named(b.spans)).toEqual([
      "kindred-b internal store",
      "kindred-b server Write",
      "kindred-b client Read",
    ]);
    const [write, read] = a.spans as [RecordedSpan, RecordedSpan];
    const [store, served, outermost] = b.spans as [RecordedSpan, RecordedSpan, RecordedSpan];
    expect([outermost, read, write, served, store].map((span) => span.parentSpanId)).toEqual([
      "b7ad6b7169203331",
      outermost.spanId,
      read.spanId,
      write.spanId,
      served.spanId,
    ]);
    expect(new Set([...a.spans, ...b.spans].map((span) => span.traceId))).toEqual(new Set([TRACE]));
    expect(read.attributes).toEqual({
      "rpc.system.name": "grpc",
      "rpc.method": "probe.v1.ProbeService/Read",
      "rpc.response.status_code": "OK",
    });
    expect(write.attributes).toEqual({ ...served.attributes, "server.address": b.address });
    expect([...a.spans, ...b.spans].map((span) => span.error)).toEqual(Array(5).fill(undefined));
  });

  test("a refusal is the client's failure; a fault is also the server's", async () => {
    const b = await app("b", {
      read() {
        throw new KindredError("not-found", "no such thing");
      },
      write() {
        throw new Error("a secret of the implementation");
      },
    });
    await failure(b.client.read({}));
    await failure(b.client.write({}));
    expect(
      b.spans.map((s) => [
        s.kind,
        s.error,
        s.attributes["rpc.response.status_code"],
        s.attributes["error.type"],
      ]),
    ).toEqual([
      ["server", undefined, "NOT_FOUND", undefined],
      ["client", "no such thing", "NOT_FOUND", "NOT_FOUND"],
      ["server", "internal error", "INTERNAL", "INTERNAL"],
      ["client", "internal error", "INTERNAL", "INTERNAL"],
    ]);
  });

  test("attempts are events of the one client span, and server spans of their own", async () => {
    let calls = 0;
    const a = await app("a", {
      read(request) {
        if (++calls < 3) throw new KindredError("unavailable", "not yet");
        return request;
      },
    });
    await a.client.read({});
    expect(named(a.spans)).toEqual([...Array(3).fill("kindred-a server Read"), "kindred-a client Read"]);
    const client = a.spans[3] as RecordedSpan;
    expect(
      client.events.map(({ name, attributes }) => [
        name,
        attributes["rpc.attempt"],
        attributes["error.type"],
      ]),
    ).toEqual([
      ["retry", 2, "unavailable"],
      ["retry", 3, "unavailable"],
    ]);
    expect(a.spans.slice(0, 3).map((span) => span.parentSpanId)).toEqual(Array(3).fill(client.spanId));
    expect(client.error).toBeUndefined();
  });

  test("calls at once keep their own spans", async () => {
    const b = await app("b", {
      write: async (request) => {
        await new Promise((resolve) => setTimeout(resolve, 5 - request.count));
        return request;
      },
    });
    const a = await app("a", { read: (request) => b.client.write(request) });
    await Promise.all([0, 1, 2, 3].map((count) => a.client.read({ count })));
    const all = [...a.spans, ...b.spans];
    const byId = new Map(all.map((span) => [span.spanId, span]));
    const served = b.spans.filter((span) => span.name.endsWith("Write"));
    expect(served).toHaveLength(4);
    const chains = served.map((span) => {
      const chain = [span];
      for (let at = span; at.parentSpanId !== undefined; chain.push(at))
        at = byId.get(at.parentSpanId) as RecordedSpan;
      return chain;
    });
    for (const chain of chains) {
      expect(chain.map((span) => span.kind)).toEqual(["server", "client", "server", "client"]);
      expect(new Set(chain.map((span) => span.traceId)).size).toBe(1);
    }
    expect(new Set(chains.map((chain) => chain[3]?.spanId)).size).toBe(4);
  });
});

describe("streams", () => {
  test("a span ends with the last message, and holds what is done between messages", async () => {
    const gate = Promise.withResolvers<void>();
    const a = await app("a", {
      async *spread(request) {
        yield request;
        await gate.promise;
        inSpan("late", {}, () => undefined);
        yield request;
      },
    });
    const replies = a.client.spread({ text: "x" })[Symbol.asyncIterator]();
    await replies.next();
    expect(a.spans).toEqual([]);
    gate.resolve();
    await replies.next();
    expect((await replies.next()).done).toBe(true);
    await until(() => a.spans.length === 3);
    const of = (name: string) => a.spans.find((span) => span.name.endsWith(name) && span.kind !== "client");
    expect(of("late")?.parentSpanId).toBe(of("Spread")?.spanId);
    expect(a.spans.map((span) => span.error)).toEqual([undefined, undefined, undefined]);
  });

  test.each(["spread", "chat", "collect"] as const)(
    "a failure in the middle marks both ends (%s)",
    async (way) => {
      const fail = async function* (requests: AsyncIterable<unknown>) {
        for await (const _ of requests) yield { text: "one" };
        throw new KindredError("data-loss", "a hole");
      };
      const a = await app("a", {
        spread: (request) =>
          fail(
            (async function* () {
              yield request;
            })(),
          ),
        chat: fail,
        async collect(requests) {
          for await (const _ of fail(requests));
          return {};
        },
      });
      const requests = (async function* () {
        yield { text: "x" };
      })();
      await failure(
        way === "collect"
          ? a.client.collect(requests)
          : Array.fromAsync(way === "chat" ? a.client.chat(requests) : a.client.spread({})),
      );
      expect(
        a.spans.map((s) => [s.kind, s.error, s.attributes["rpc.response.status_code"]]).toSorted(),
      ).toEqual([
        ["client", "a hole", "DATA_LOSS"],
        ["server", "a hole", "DATA_LOSS"],
      ]);
    },
  );

  test("a caller that goes away ends both spans as cancelled", async () => {
    const a = await app("a", {
      async *spread(request, { signal }) {
        yield request;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const stop = new AbortController();
    const replies = a.client.spread({}, { signal: stop.signal })[Symbol.asyncIterator]();
    await replies.next();
    stop.abort();
    await until(() => a.spans.length === 2);
    expect(a.spans.map((s) => [s.kind, s.attributes["rpc.response.status_code"]]).toSorted()).toEqual([
      ["client", "CANCELLED"],
      ["server", "CANCELLED"],
    ]);
  });
});

test("Connect and gRPC-Web calls are spans below what their callers sent", async () => {
  const a = await app("a", { read: (request) => request });
  const http = { baseUrl: `http://127.0.0.1:${a.server.httpPort}`, httpVersion: "1.1" } as const;
  const transports = [
    createConnectTransport(http),
    createConnectTransport({ ...http, useHttpGet: true }),
    createGrpcWebTransport(http),
  ];
  for (const transport of transports) {
    await createClient(ProbeService, transport).read({}, { headers: { traceparent: CALLER } });
  }
  expect(a.spans.map((s) => [s.attributes["rpc.system.name"], s.traceId, s.parentSpanId])).toEqual(
    ["connectrpc", "connectrpc", "grpc"].map((system) => [system, TRACE, "b7ad6b7169203331"]),
  );
});

test("probes and reflection leave no spans", async () => {
  const a = await app("a", {});
  const http = createConnectTransport({
    baseUrl: `http://127.0.0.1:${a.server.httpPort}`,
    httpVersion: "1.1",
  });
  await createClient(Health, http).check({});
  const raw = open.use(openChannel({ address: a.address }));
  const asked = (async function* () {
    yield { messageRequest: { case: "listServices", value: "" } } as const;
  })();
  // The client's own spans are of the app that started first, and tell that the calls were made.
  await Array.fromAsync(createClient(ServerReflection, raw.transport).serverReflectionInfo(asked));
  expect(named(a.spans)).toEqual([
    "kindred-a client grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  ]);
});

test("a process's spans reach a collector over HTTP before it ends", async () => {
  const batches: { path: string | undefined; body: string }[] = [];
  const collector = createServer((request, response) => {
    void (async () => {
      batches.push({ path: request.url, body: await text(request) });
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    })();
  });
  open.defer(async () => void collector.close());
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;

  const program = fileURLToPath(new URL("traced-process.ts", import.meta.url));
  const child = spawn(process.execPath, [program, `http://127.0.0.1:${port}/`, CALLER], {
    stdio: ["ignore", "inherit", "pipe"],
  });
  const [log, [exitCode]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  expect(log).toBe("");
  expect(exitCode).toBe(0);

  expect(batches.map(({ path }) => path)).toEqual(["/v1/traces"]);
  interface OtlpSpan {
    traceId: string;
    spanId: string;
    parentSpanId?: string;
    name: string;
    kind: number;
  }
  const [resource] = (
    JSON.parse(batches[0]?.body ?? "") as {
      resourceSpans: {
        resource: { attributes: { key: string; value: Record<string, unknown> }[] };
        scopeSpans: { spans: OtlpSpan[] }[];
      }[];
    }
  ).resourceSpans;
  expect(resource?.resource.attributes).toContainEqual({
    key: "service.name",
    value: { stringValue: "kindred-traced" },
  });
  const spans = resource?.scopeSpans.flatMap((scope) => scope.spans) ?? [];
  const [SERVER, CLIENT] = [2, 3];
  const server = spans.find((span) => span.kind === SERVER);
  const client = spans.find((span) => span.kind === CLIENT);
  expect(spans).toHaveLength(2);
  expect(new Set(spans.map((span) => `${span.name} ${span.traceId}`))).toEqual(
    new Set([`probe.v1.ProbeService/Read ${TRACE}`]),
  );
  expect(server?.parentSpanId).toBe(client?.spanId);
  expect(client?.parentSpanId).toBe("b7ad6b7169203331");
});
