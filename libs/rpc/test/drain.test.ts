import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@kindred/contracts/grpc-health/v1";
import { failure, start, startWithClient, until } from "./fixture.ts";
import { ProbeService } from "./probe.ts";

const PORTS = ["gRPC", "HTTP"] as const;

/** A server whose reads wait for `release`; "deaf" ones do not watch their signal. */
async function waiting(env: Record<string, string>) {
  const gate = Promise.withResolvers<void>();
  let entered = 0;
  const it = await startWithClient(
    {
      async read({ text }, { signal }) {
        entered += 1;
        if (text === "deaf") await new Promise(() => undefined);
        const aborted = new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        });
        await Promise.race([gate.promise, aborted]);
        return { text: "finished" };
      },
      async *spread(_request, { signal }) {
        yield { text: "first" };
        await new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason as Error)),
        );
      },
    },
    env,
  );
  const overHttp = createClient(
    ProbeService,
    createConnectTransport({ baseUrl: `http://127.0.0.1:${it.server.httpPort}`, httpVersion: "1.1" }),
  );
  const clients: Record<(typeof PORTS)[number], Client<typeof ProbeService>> = {
    gRPC: it.client,
    HTTP: overHttp,
  };
  return {
    ...it,
    clients,
    release: gate.resolve,
    inFlight: (count: number) => until(() => entered >= count),
  };
}

describe.each(PORTS)("a call in flight on the %s port", (port) => {
  test("finishes, while a new one is refused as UNAVAILABLE", async () => {
    const { server, clients, inFlight, release } = await waiting({ DRAIN_TIMEOUT: "20s" });
    const first = clients[port].read({});
    await inFlight(1);
    const drained = server.drain();
    expect((await failure(clients[port].write({}))).kind).toBe("unavailable");
    release();
    expect((await first).text).toBe("finished");
    await drained;
  });

  test.each(["", "deaf"])("is aborted as UNAVAILABLE when it outlives the timeout %s", async (text) => {
    const { server, clients, inFlight } = await waiting({ DRAIN_TIMEOUT: "50ms" });
    const outcome = failure(clients[port].read({ text }));
    await inFlight(1);
    await server.drain();
    expect(await outcome).toMatchObject({ kind: "unavailable", message: "the server is shutting down" });
  });

  test("is aborted as UNAVAILABLE in the middle of a stream", async () => {
    const { server, clients } = await waiting({ DRAIN_TIMEOUT: "50ms" });
    const stream = clients[port].spread({})[Symbol.asyncIterator]();
    expect((await stream.next()).value?.text).toBe("first");
    const outcome = failure(stream.next());
    await server.drain();
    expect(await outcome).toMatchObject({ kind: "unavailable", message: "the server is shutting down" });
  });
});

test("during the grace health says NOT_SERVING, and calls are still taken", async () => {
  const { server, client, channel, release } = await waiting({ SHUTDOWN_GRACE: "300ms" });
  release();
  const health = createClient(Health, channel.transport);
  expect((await health.check({})).status).toBe(Serving.SERVING);
  const drained = server.drain();
  const [overall, one, healthz, call] = await Promise.all([
    health.check({}),
    health.check({ service: ProbeService.typeName }),
    fetch(`http://127.0.0.1:${server.httpPort}/healthz`),
    client.read({}),
  ]);
  expect([overall.status, one.status]).toEqual([Serving.NOT_SERVING, Serving.NOT_SERVING]);
  expect([healthz.status, await healthz.json()]).toEqual([503, { status: "NOT_SERVING" }]);
  expect(call.text).toBe("finished");
  await drained;
});

test("whoever watches health sees the end of it, and holds no drain up", async () => {
  await using it = await startWithClient({}, { DRAIN_TIMEOUT: "20s" });
  const seen: Serving[] = [];
  const watching = (async () => {
    for await (const { status } of createClient(Health, it.channel.transport).watch({})) seen.push(status);
  })();
  await until(() => seen.length === 1);
  await it.server.drain();
  await watching;
  expect(seen).toEqual([Serving.SERVING, Serving.NOT_SERVING]);
});

test("kept-alive HTTP connections are closed, idle ones and busy ones", async () => {
  const { server, clients, inFlight, release } = await waiting({ DRAIN_TIMEOUT: "20s" });
  const agent = new Agent({ keepAlive: true });
  const idle = await new Promise<{ closed: Promise<void> }>((resolve, reject) => {
    get(`http://127.0.0.1:${server.httpPort}/healthz`, { agent }, (response) => {
      const { socket } = response;
      response
        .resume()
        .once("end", () =>
          resolve({ closed: new Promise((closed) => socket.once("close", () => closed())) }),
        );
    }).once("error", reject);
  });
  const busy = fetch(`http://127.0.0.1:${server.httpPort}/probe.v1.ProbeService/Read`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  await inFlight(1);
  const drained = server.drain();
  await idle.closed;
  release();
  const response = await busy;
  expect(response.headers.get("connection")).toBe("close");
  expect(await response.json()).toEqual({ text: "finished" });
  // Would wait for the busy one's connection otherwise.
  await drained;
  await expect(clients.HTTP.read({})).rejects.toThrow("ECONNREFUSED");
});

test("a connection that was opened ahead and never used holds no drain up", async () => {
  const { server } = await startWithClient({}, { DRAIN_TIMEOUT: "20s" });
  const socket = connect(server.httpPort, "127.0.0.1");
  await once(socket, "connect");
  const closed = once(socket, "close");
  await server.drain();
  await closed;
  expect(socket.destroyed).toBe(true);
}, 10_000);

test("draining twice is draining once, and a drained server stays NOT_SERVING", async () => {
  const server = await start({});
  const drained = server.drain();
  expect(server.drain()).toBe(drained);
  server.setServing(true);
  await drained;
  await server[Symbol.asyncDispose]();
});
