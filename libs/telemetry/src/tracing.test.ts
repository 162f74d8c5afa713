import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { trace } from "@opentelemetry/api";
import { KindredError } from "@kindred/errors";
import { afterEach, describe, expect, test } from "@jest/globals";
import {
  activeTraceparent,
  createSpanRecorder,
  currentPlace,
  inSpan,
  recordSpan,
  startRemoteSpan,
  startSpan,
  startTracing,
  traceIdOf,
  type Logger,
  type RecordedSpan,
  type Tracing,
} from "./index.ts";
import { activeTraceId } from "./trace-context.ts";

const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED = CALLER.replace(/01$/, "00");

const running: Tracing[] = [];
const servers: Server[] = [];
afterEach(async () => {
  for (const tracing of running.splice(0)) await tracing[Symbol.asyncDispose]();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

function logger(): { logger: Logger; lines: { level: string; message: string }[] } {
  const lines: { level: string; message: string }[] = [];
  const at = (level: string) => (_fields: unknown, message: string) => void lines.push({ level, message });
  return { lines, logger: { info: at("info"), warn: at("warn") } as unknown as Logger };
}

function record(component = "test", ratio = 1): { tracing: Tracing; spans: readonly RecordedSpan[] } {
  const recorder = createSpanRecorder();
  const tracing = startTracing({
    component,
    ratio,
    logger: logger().logger,
    processor: recorder.processor,
  });
  running.push(tracing);
  return { tracing, spans: recorder.spans };
}

const serverSpan = (traceparent: string | undefined, tracing?: Tracing) =>
  startRemoteSpan("call", { kind: "server", attributes: {}, traceparent, own: tracing?.tracer });

describe("inSpan", () => {
  test("nests through awaits, and leaves the context as it was", async () => {
    const { spans } = record();
    const value = await inSpan("outer", { a: 1 }, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return inSpan("inner", {}, (span) => {
        span.set({ b: 2 });
        span.event("seen", { c: 3 });
        return 42;
      });
    });
    expect(value).toBe(42);
    expect(activeTraceparent()).toBeUndefined();
    const [inner, outer] = spans as [RecordedSpan, RecordedSpan];
    expect(inner).toMatchObject({
      name: "inner",
      kind: "internal",
      service: "kindred-test",
      traceId: outer.traceId,
      parentSpanId: outer.spanId,
      attributes: { b: 2 },
      events: [{ name: "seen", attributes: { c: 3 } }],
      error: undefined,
    });
    expect(outer).toMatchObject({ name: "outer", parentSpanId: undefined, attributes: { a: 1 } });
  });

  test.each([
    [
      "sync",
      () => {
        throw new KindredError("not-found", "no such model");
      },
    ],
    ["async", () => Promise.reject(new KindredError("not-found", "no such model"))],
  ])("a failure marks the span and passes on (%s)", async (_how, work: () => unknown) => {
    const { spans } = record();
    await expect((async () => inSpan("work", {}, work))()).rejects.toMatchObject({ kind: "not-found" });
    expect(spans).toMatchObject([{ error: "no such model", attributes: { "error.type": "not-found" } }]);
  });

  test("other errors are named by their class", () => {
    const { spans } = record();
    expect(() => inSpan("work", {}, () => JSON.parse("{"))).toThrow(SyntaxError);
    expect(spans[0]?.attributes).toEqual({ "error.type": "SyntaxError" });
  });

  test("just does the work where nothing is recorded", async () => {
    expect(inSpan("work", {}, () => activeTraceId())).toBeUndefined();
    expect(await inSpan("work", {}, async () => 1)).toBe(1);
  });
});

describe("recordSpan", () => {
  test("puts times that are known afterwards below the place that was noted", () => {
    const { spans } = record();
    const place = inSpan("call", {}, () => currentPlace());
    const at = Date.now() - 1000;
    recordSpan("queue", { start: at, end: at + 250, place, attributes: { tokens: 9 } });
    const now = performance.now();
    recordSpan("run", { start: now - 20, end: now, place, error: "out of memory" });
    const [call, queue, run] = spans as [RecordedSpan, RecordedSpan, RecordedSpan];
    expect(queue).toMatchObject({
      name: "queue",
      start: at,
      parentSpanId: call.spanId,
      attributes: { tokens: 9 },
    });
    expect(queue.durationMs).toBeCloseTo(250, 3);
    expect(run).toMatchObject({ parentSpanId: call.spanId, error: "out of memory" });
    expect(run.durationMs).toBeCloseTo(20, 1);
    expect(Math.abs(run.start - Date.now())).toBeLessThan(5000);
  });

  test("is below the active span by default, and nothing where nothing is recorded", async () => {
    const { spans, tracing } = record();
    inSpan("call", {}, () => recordSpan("queue", { start: 1, end: 2 }));
    expect(spans[0]).toMatchObject({ name: "queue", parentSpanId: spans[1]?.spanId });
    await tracing[Symbol.asyncDispose]();
    recordSpan("queue", { start: 1, end: 2 });
    expect(spans).toHaveLength(2);
  });
});

describe("a call from elsewhere", () => {
  test("is below its caller's span", () => {
    const { spans } = record();
    const span = serverSpan(CALLER);
    const sent = span.run(() => activeTraceparent() as string);
    span.end();
    span.end("too late");
    expect(spans).toMatchObject([{ parentSpanId: "b7ad6b7169203331", kind: "server", error: undefined }]);
    expect(sent).toBe(`00-0af7651916cd43dd8448eb211c80319c-${spans[0]?.spanId}-01`);
  });

  test("its caller's decision not to sample is kept, and the trace id stays", () => {
    const { spans } = record();
    const span = serverSpan(UNSAMPLED);
    const sent = span.run(() => inSpan("work", {}, () => activeTraceparent() as string));
    span.end();
    expect(spans).toEqual([]);
    expect(traceIdOf(sent)).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(sent.endsWith("-00")).toBe(true);
  });

  test.each([undefined, "nonsense"])("begins a trace without a caller's (%s)", (traceparent) => {
    const { spans } = record();
    const span = serverSpan(traceparent);
    expect(span.run(() => activeTraceId())).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    span.end();
    expect(spans).toMatchObject([{ parentSpanId: undefined }]);
  });

  test("has a trace id and passes it on where nothing is recorded", () => {
    expect(serverSpan(CALLER).run(() => activeTraceparent())).toBe(CALLER);
    const fresh = serverSpan(undefined).run(() => [activeTraceId(), activeTraceId()]);
    expect(fresh[0]).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    expect(fresh[1]).toBe(fresh[0]);
  });
});

test("a ratio of 0 records no trace that begins here, and those of callers all the same", () => {
  const { spans } = record("test", 0);
  for (let i = 0; i < 20; i++) serverSpan(undefined).end();
  expect(spans).toEqual([]);
  serverSpan(CALLER).end();
  expect(spans).toHaveLength(1);
});

describe("several apps in one process", () => {
  test("have spans of their own, through what their calls do", () => {
    const a = record("a");
    const b = record("b");
    const call = serverSpan(undefined, a.tracing);
    call.run(() => {
      const client = startSpan("to b", { kind: "client", attributes: {} });
      const traceparent = client.run(() => activeTraceparent());
      // All that a network would leave of the context is the header.
      const served = serverSpan(traceparent, b.tracing);
      served.run(() => inSpan("work", {}, () => undefined));
      served.end();
      client.end();
    });
    call.end();
    expect(a.spans.map((s) => [s.name, s.service])).toEqual([
      ["to b", "kindred-a"],
      ["call", "kindred-a"],
    ]);
    expect(b.spans.map((s) => [s.name, s.service])).toEqual([
      ["work", "kindred-b"],
      ["call", "kindred-b"],
    ]);
    expect(new Set([...a.spans, ...b.spans].map((s) => s.traceId)).size).toBe(1);
    expect(b.spans[1]?.parentSpanId).toBe(a.spans[0]?.spanId);
  });

  test("an app that records nothing does not record by another's means", () => {
    const a = record("a");
    const off = startTracing({ component: "off", logger: logger().logger });
    expect(off.tracer).toBeNull();
    serverSpan(undefined, off).end();
    expect(a.spans).toEqual([]);
  });

  test("OpenTelemetry's API gives spans to the oldest that is left, and to nobody at last", async () => {
    const other = (name: string): void => trace.getTracer("library").startSpan(name).end();
    const a = record("a");
    const b = record("b");
    other("1");
    await a.tracing[Symbol.asyncDispose]();
    await a.tracing[Symbol.asyncDispose]();
    other("2");
    inSpan("3", {}, () => undefined);
    await b.tracing[Symbol.asyncDispose]();
    other("4");
    const c = record("c");
    other("5");
    expect([a, b, c].map(({ spans }) => spans.map((s) => s.name))).toEqual([["1"], ["2", "3"], ["5"]]);
  });
});

describe("delivery", () => {
  /** A collector on a free port. */
  async function collector(answer: (body: string) => number | undefined): Promise<string> {
    const server = createServer((request, response) => {
      void (async () => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        const status = answer(Buffer.concat(chunks).toString());
        if (status !== undefined)
          response.writeHead(status, { "content-type": "application/json" }).end("{}");
      })();
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://user:secret@127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
  }

  test("disposing of it delivers what is left", async () => {
    const bodies: string[] = [];
    const endpoint = await collector((body) => {
      bodies.push(body);
      return 200;
    });
    const { logger: log, lines } = logger();
    const tracing = startTracing({ component: "test", serviceName: "mine", endpoint, logger: log });
    for (let i = 0; i < 700; i++) inSpan(`span ${i}`, {}, () => undefined);
    await tracing[Symbol.asyncDispose]();
    const names = bodies.flatMap((body) => [...body.matchAll(/"name":"(span \d+)"/g)].map((m) => m[1]));
    expect(names.toSorted()).toEqual(Array.from({ length: 700 }, (_, i) => `span ${i}`).toSorted());
    expect(bodies[0]).toContain('{"key":"service.name","value":{"stringValue":"mine"}}');
    expect(lines).toEqual([]);
  });

  test("a collector that refuses costs one warning for many batches", async () => {
    let batches = 0;
    const endpoint = await collector(() => {
      batches++;
      return 400;
    });
    const { logger: log, lines } = logger();
    const tracing = startTracing({ component: "test", endpoint, logger: log });
    for (let i = 0; i < 2000; i++) inSpan("work", {}, () => undefined);
    await tracing[Symbol.asyncDispose]();
    expect(batches).toBeGreaterThan(1);
    expect(lines).toEqual([
      { level: "warn", message: "spans cannot be delivered, and are dropped until they can" },
    ]);
  });

  test("a collector that nobody listens for, or that never answers, holds up no end", async () => {
    const nobody = createServer();
    await new Promise<void>((resolve) => nobody.listen(0, "127.0.0.1", resolve));
    const { port } = nobody.address() as AddressInfo;
    await new Promise((resolve) => nobody.close(resolve));
    for (const endpoint of [`http://127.0.0.1:${port}/v1/traces`, await collector(() => undefined)]) {
      const { logger: log, lines } = logger();
      const tracing = startTracing({ component: "test", endpoint, logger: log });
      inSpan("work", {}, () => undefined);
      await tracing[Symbol.asyncDispose]();
      expect(lines.map((line) => line.level)).toEqual(["warn"]);
    }
  });

  test("what is written of the collector holds no password", async () => {
    const endpoint = await collector(() => 400);
    const fields: unknown[] = [];
    const log = { warn: (given: unknown) => void fields.push(given) } as unknown as Logger;
    const tracing = startTracing({ component: "test", endpoint, logger: log });
    inSpan("work", {}, () => undefined);
    await tracing[Symbol.asyncDispose]();
    expect(JSON.stringify(fields)).toContain("/v1/traces");
    expect(JSON.stringify(fields)).not.toContain("secret");
  });
});
