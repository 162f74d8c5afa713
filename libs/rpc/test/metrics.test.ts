import { createClient } from "@connectrpc/connect";
import { Health } from "@kindred/contracts/grpc-health/v1";
import { KindredError } from "@kindred/errors";
import { createMetrics, createSpanRecorder, inSpan, startTracing } from "@kindred/telemetry";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createInMemoryTransport, openChannel, type RpcServer } from "../src/index.ts";
import { failure, post, recordingLogger, start, until, type ProbeImpl } from "./fixture.ts";
import { ProbeService } from "./probe.ts";

let open = new AsyncDisposableStack();
afterEach(async () => {
  await open.disposeAsync();
  open = new AsyncDisposableStack();
});

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/**
 * Prometheus' text format 0.0.4, read strictly: https://prometheus.io/docs/instrumenting/exposition_formats/.
 * @throws Error at a line that is neither a sample nor a comment.
 */
function parse(body: string): { samples: Sample[]; types: Record<string, string> } {
  const samples: Sample[] = [];
  const types: Record<string, string> = {};
  expect(body.endsWith("\n")).toBe(true);
  for (const line of body.split("\n").filter(Boolean)) {
    const [, typed, type] =
      /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line) ?? [];
    if (typed !== undefined) types[typed] = type as string;
    else if (!/^# HELP [a-zA-Z_:][\w:]* .+$/.test(line)) samples.push(parseSample(line));
  }
  return { samples, types };
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([-+]?(?:[\d.]+(?:e[-+]?\d+)?|Inf)|NaN)$/i.exec(line);
  if (!match) throw new Error(`no sample: ${line}`);
  const [, name = "", pairs = "", value] = match;
  const labels = Object.fromEntries(
    [...pairs.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map((pair) => [pair[1], pair[2]]),
  ) as Record<string, string>;
  return { name, labels, value: Number(value) };
}

async function scrape(server: RpcServer) {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const { samples, types } = parse(await response.text());
  const value = (name: string, labels: Record<string, string> = {}): number | undefined =>
    samples.find(
      (s) => s.name === name && Object.entries(labels).every(([key, wanted]) => s.labels[key] === wanted),
    )?.value;
  return { samples, types, value };
}

async function app(impl: ProbeImpl) {
  const metrics = open.use(createMetrics({ component: "probe" }));
  const server = open.use(await start(impl, { metrics }));
  const address = `127.0.0.1:${server.grpcPort}`;
  const channel = open.use(
    openChannel({ address, metrics, retry: { attempts: 3, initialBackoffMs: 1, maxBackoffMs: 1 } }),
  );
  return { metrics, server, address, client: createClient(ProbeService, channel.transport) };
}

const DURATION = "kindred_rpc_server_duration_seconds";
const SERVICE = "probe.v1.ProbeService";

describe("GET /metrics", () => {
  test("counts calls by their outcome, on both ports and in memory", async () => {
    const { server, client, metrics } = await app({
      read: (request) => request,
      write() {
        throw new KindredError("already-exists", "there is one");
      },
    });
    for (let i = 0; i < 3; i++) await client.read({});
    expect((await post(server, "Read", "{}")).status).toBe(200);
    await failure(client.write({}));
    const { value, types } = await scrape(server);
    const labels = { service: SERVICE, component: "probe" };
    expect(types[DURATION]).toBe("histogram");
    expect(types["kindred_rpc_server_in_flight"]).toBe("gauge");
    expect(value(`${DURATION}_count`, { ...labels, method: "Read", code: "OK" })).toBe(4);
    expect(value(`${DURATION}_bucket`, { ...labels, method: "Read", code: "OK", le: "+Inf" })).toBe(4);
    expect(value(`${DURATION}_sum`, { ...labels, method: "Read", code: "OK" })).toBeGreaterThan(0);
    expect(value(`${DURATION}_count`, { ...labels, method: "Write", code: "ALREADY_EXISTS" })).toBe(1);
    expect(value(`${DURATION}_count`, { ...labels, method: "Write", code: "OK" })).toBeUndefined();
    expect(value("process_cpu_seconds_total")).toBeGreaterThan(0);

    const memory = createInMemoryTransport((router) => router.service(ProbeService, { read: (r) => r }), {
      metrics,
    });
    await createClient(ProbeService, memory).read({});
    expect((await scrape(server)).value(`${DURATION}_count`, { ...labels, method: "Read" })).toBe(5);
  });

  test("shows the calls in flight, of streams until their last message", async () => {
    const gate = Promise.withResolvers<void>();
    const { server, client } = await app({
      async *spread(request) {
        yield request;
        await gate.promise;
      },
    });
    const replies = client.spread({})[Symbol.asyncIterator]();
    await replies.next();
    const method = { service: SERVICE, method: "Spread" };
    const during = await scrape(server);
    expect(during.value("kindred_rpc_server_in_flight", method)).toBe(1);
    expect(during.value(`${DURATION}_count`, method)).toBeUndefined();
    gate.resolve();
    expect((await replies.next()).done).toBe(true);
    const after = await scrape(server);
    expect(after.value("kindred_rpc_server_in_flight", method)).toBe(0);
    expect(after.value(`${DURATION}_count`, { ...method, code: "OK" })).toBe(1);
  });

  test("a stream whose caller has gone is in flight no more, on either port", async () => {
    let begun = 0;
    const { server, client } = await app({
      async *spread(request, { signal }) {
        begun++;
        yield request;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const stop = new AbortController();
    const grpc = failure(Array.fromAsync(client.spread({}, { signal: stop.signal })));
    const web = fetch(`http://127.0.0.1:${server.httpPort}/${SERVICE}/Spread`, {
      method: "POST",
      headers: { "content-type": "application/connect+json" },
      body: Uint8Array.from([0, 0, 0, 0, 2, 0x7b, 0x7d]),
      signal: stop.signal,
    });
    await until(() => begun === 2);
    stop.abort();
    expect((await grpc).kind).toBe("cancelled");
    await web.then((response) => response.text()).catch(() => undefined);
    let found = await scrape(server);
    while ((found.value(`${DURATION}_count`, { method: "Spread", code: "CANCELLED" }) ?? 0) < 2) {
      found = await scrape(server);
    }
    expect(found.value("kindred_rpc_server_in_flight", { method: "Spread" })).toBe(0);
  });

  test("what nobody implements, and what is no method, makes no series; neither do probes", async () => {
    const { server } = await app({ read: (request) => request });
    for (const method of ["Nonsense", "Read/../Other", "x".repeat(500)]) await post(server, method, "{}");
    const raw = open.use(openChannel({ address: `127.0.0.1:${server.grpcPort}` }));
    await createClient(Health, raw.transport).check({});
    const { samples } = await scrape(server);
    expect(samples.filter((s) => "method" in s.labels)).toEqual([]);
  });

  test("HEAD has the headers and no body; there is no other method", async () => {
    const { server } = await app({});
    const url = `http://127.0.0.1:${server.httpPort}/metrics`;
    const head = await fetch(url, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(Number(head.headers.get("content-length"))).toBeGreaterThan(1000);
    expect(await head.text()).toBe("");
    expect((await fetch(url, { method: "POST" })).status).toBe(404);
  });

  test("is 404 without metrics, and 500 with a line in the log where one cannot be read", async () => {
    const without = open.use(await start({}));
    expect((await fetch(`http://127.0.0.1:${without.httpPort}/metrics`)).status).toBe(404);

    const metrics = open.use(createMetrics({ component: "probe" }));
    metrics.gauge({ name: "kindred_broken", help: "-", collect: () => Promise.reject(new Error("no disk")) });
    const { logger, lines } = recordingLogger();
    const server = open.use(await start({}, { metrics, logger }));
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe("the metrics cannot be read: no disk\n");
    expect(lines.filter((line) => line.level === "warn").map((line) => line.message)).toEqual([
      "the metrics cannot be read",
    ]);
  });
});

test("plain HTTP routes are measured by route and status, and are spans below their callers'", async () => {
  const metrics = open.use(createMetrics({ component: "probe" }));
  const recorder = createSpanRecorder();
  const { logger } = recordingLogger();
  const tracing = open.use(startTracing({ component: "probe", logger, processor: recorder.processor }));
  const server = open.use(
    await start(
      {},
      {
        metrics,
        tracing,
        httpRoutes: {
          "GET /v1/models": (_request, response) => void inSpan("list", {}, () => response.end("[]")),
          "POST /v1/models": (_request, response) => void response.writeHead(503).end(),
        },
      },
    ),
  );
  const url = `http://127.0.0.1:${server.httpPort}/v1/models`;
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  expect(await (await fetch(`${url}?limit=3`, { headers: { traceparent } })).text()).toBe("[]");
  expect((await fetch(url, { method: "POST" })).status).toBe(503);
  await until(() => recorder.spans.length === 3);
  const { value } = await scrape(server);
  const count = "kindred_http_server_duration_seconds_count";
  expect(value(count, { route: "GET /v1/models", status: "200" })).toBe(1);
  expect(value(count, { route: "POST /v1/models", status: "503" })).toBe(1);
  const [list, get, post503] = recorder.spans;
  expect(get).toMatchObject({ name: "GET /v1/models", parentSpanId: "b7ad6b7169203331", error: undefined });
  expect(list?.parentSpanId).toBe(get?.spanId);
  expect(post503).toMatchObject({ error: "answered with 503", attributes: { "http.route": "/v1/models" } });
});

describe("a channel", () => {
  test("counts its calls by peer and outcome, and what it sent again", async () => {
    let calls = 0;
    const { server, client, address } = await app({
      read(request) {
        if (++calls < 3) throw new KindredError("unavailable", "not yet");
        return request;
      },
      write() {
        throw new KindredError("resource-exhausted", "full");
      },
      async *spread(request) {
        yield request;
      },
    });
    await client.read({});
    await failure(client.write({}));
    await Array.fromAsync(client.spread({}));
    const { value } = await scrape(server);
    const labels = { peer: address, service: SERVICE };
    const count = "kindred_rpc_client_duration_seconds_count";
    expect(value(count, { ...labels, method: "Read", code: "OK" })).toBe(1);
    expect(value(count, { ...labels, method: "Write", code: "RESOURCE_EXHAUSTED" })).toBe(1);
    expect(value(count, { ...labels, method: "Spread", code: "OK" })).toBe(1);
    expect(value("kindred_rpc_client_retries_total", { ...labels, method: "Read" })).toBe(2);
    // The server has seen each of them.
    expect(value(`${DURATION}_count`, { service: SERVICE, method: "Read", code: "UNAVAILABLE" })).toBe(2);
  });

  test("shares the metrics with others, and says of a peer that is away that it is", async () => {
    const { server, metrics } = await app({});
    const away = open.use(
      openChannel({
        address: "127.0.0.1:1",
        metrics,
        retry: { attempts: 1, initialBackoffMs: 1, maxBackoffMs: 1 },
      }),
    );
    await failure(createClient(ProbeService, away.transport).read({}));
    const { value } = await scrape(server);
    expect(
      value("kindred_rpc_client_duration_seconds_count", { peer: "127.0.0.1:1", code: "UNAVAILABLE" }),
    ).toBe(1);
  });
});
