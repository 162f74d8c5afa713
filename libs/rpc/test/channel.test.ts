import { once } from "node:events";
import { constants, createServer as createHttp2Server } from "node:http2";
import { createServer, type AddressInfo } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { Code, ConnectError, createClient, createContextValues } from "@connectrpc/connect";
import { KindredError } from "@kindred/errors";
import { openChannel, retryable, type RetryPolicy } from "../src/index.ts";
import { envelope, failure, recordingLogger, start, startWithClient, until } from "./fixture.ts";
import { ProbeService } from "./probe.ts";

const QUICK: RetryPolicy = { attempts: 5, initialBackoffMs: 1, maxBackoffMs: 1 };

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A server that is busy for the first calls. */
async function busy(times: number, retryAfterMs?: number) {
  let calls = 0;
  const answer = () => {
    if (++calls <= times) {
      throw new KindredError("unavailable", "busy", retryAfterMs === undefined ? {} : { retryAfterMs });
    }
    return { count: calls };
  };
  const { logger, lines } = recordingLogger();
  const server = await start({
    read: answer,
    write: answer,
    async *spread() {
      yield answer();
    },
  });
  const channel = openChannel({ address: `127.0.0.1:${server.grpcPort}`, retry: QUICK, logger });
  return {
    client: createClient(ProbeService, channel.transport),
    lines,
    calls: () => calls,
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await server.drain();
    },
  };
}

describe("retries", () => {
  test("a read is sent again until it is answered, and the log says so", async () => {
    await using it = await busy(3);
    expect((await it.client.read({})).count).toBe(4);
    expect(it.lines.map(({ fields }) => fields["attempt"])).toEqual([2, 3, 4]);
  });

  test("a read that stays refused fails with the peer's last word", async () => {
    await using it = await busy(100);
    expect(await failure(it.client.read({}))).toMatchObject({ kind: "unavailable", message: "busy" });
    expect(it.calls()).toBe(5);
  });

  test("a write is sent once, unless its caller says that it may be repeated", async () => {
    await using it = await busy(1);
    expect((await failure(it.client.write({}))).kind).toBe("unavailable");
    expect(it.calls()).toBe(1);
    await using other = await busy(1);
    const contextValues = createContextValues().set(retryable, true);
    expect((await other.client.write({}, { contextValues })).count).toBe(2);
  });

  test("a stream is sent once", async () => {
    await using it = await busy(1);
    expect((await failure(Array.fromAsync(it.client.spread({})))).kind).toBe("unavailable");
    expect(it.calls()).toBe(1);
  });

  test("a peer that asks for more time than there is gets no second call", async () => {
    await using it = await busy(1, 60_000);
    expect(await failure(it.client.read({}, { timeoutMs: 5000 }))).toMatchObject({
      kind: "unavailable",
      retryAfterMs: 60_000,
    });
    expect(it.calls()).toBe(1);
  });

  test("a peer that restarts is ridden out", async () => {
    const first = await start({ read: () => ({ text: "first" }) });
    const channel = openChannel({ address: `127.0.0.1:${first.grpcPort}` });
    const client = createClient(ProbeService, channel.transport);
    expect((await client.read({})).text).toBe("first");
    await first.drain();
    const call = client.read({});
    await new Promise((resolve) => setTimeout(resolve, 200));
    const second = await start(
      { read: () => ({ text: "second" }) },
      { env: { GRPC_PORT: String(first.grpcPort) } },
    );
    expect((await call).text).toBe("second");
    await channel[Symbol.asyncDispose]();
    await second.drain();
  });
});

test("a write that a closing connection refused unseen goes to the next one", async () => {
  let streams = 0;
  const peer = createHttp2Server().on("stream", (stream) => {
    if (++streams === 1) {
      stream.on("error", () => undefined);
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(envelope(Uint8Array.of(0x10, 7)));
  });
  await once(peer.listen(0, "127.0.0.1"), "listening");
  const channel = openChannel({ address: `127.0.0.1:${(peer.address() as AddressInfo).port}` });
  expect((await createClient(ProbeService, channel.transport).write({})).count).toBe(7);
  expect(streams).toBe(2);
  await channel[Symbol.asyncDispose]();
  peer.close();
});

describe("the end of a call", () => {
  test("a peer that nobody listens for is named with its address", async () => {
    const address = `127.0.0.1:${await freePort()}`;
    await using channel = openChannel({ address, retry: QUICK });
    const { write } = createClient(ProbeService, channel.transport);
    expect(await failure(write({}))).toMatchObject({
      kind: "unavailable",
      message: `probe.v1.ProbeService cannot be reached at ${address} (ECONNREFUSED)`,
    });
  });

  test("the deadline travels, and passes for a deaf implementation too", async () => {
    const seen = Promise.withResolvers<number | undefined>();
    await using it = await startWithClient({
      read: (_request, { timeoutMs }) => {
        seen.resolve(timeoutMs());
        return new Promise(() => undefined);
      },
    });
    expect((await failure(it.client.read({}, { timeoutMs: 100 }))).kind).toBe("deadline-exceeded");
    expect(await seen.promise).toBeLessThanOrEqual(100);
  });

  test("unary calls have a deadline by default, streams have none", async () => {
    const seen: (number | undefined)[] = [];
    const server = await start({
      read: (_request, { timeoutMs }) => {
        seen.push(timeoutMs());
        return {};
      },
      async *spread(_request, { timeoutMs }) {
        seen.push(timeoutMs());
        yield {};
      },
    });
    await using channel = openChannel({ address: `127.0.0.1:${server.grpcPort}`, defaultTimeoutMs: 7000 });
    const client = createClient(ProbeService, channel.transport);
    await client.read({});
    await Array.fromAsync(client.spread({}));
    await client.read({}, { timeoutMs: 0 });
    expect(seen).toEqual([expect.any(Number), undefined, undefined]);
    expect(seen[0]).toBeLessThanOrEqual(7000);
    expect(seen[0]).toBeGreaterThan(5000);
    await server.drain();
  });

  test.each([
    ["an abort", () => undefined, "cancelled"],
    ["a timeout", () => new DOMException("late", "TimeoutError"), "deadline-exceeded"],
    [
      "a call being served whose deadline passed",
      () => new ConnectError("late", Code.DeadlineExceeded),
      "deadline-exceeded",
    ],
    ["a domain's own reason", () => new KindredError("aborted", "newer search"), "aborted"],
  ])("cancelling by %s reaches the peer, and says why", async (_name, reason, kind) => {
    const entered = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    await using it = await startWithClient({
      read: (_request, { signal }) => {
        entered.resolve();
        signal.addEventListener("abort", () => aborted.resolve());
        return new Promise(() => undefined);
      },
    });
    const stop = new AbortController();
    const call = failure(it.client.read({}, { signal: stop.signal }));
    await entered.promise;
    stop.abort(reason());
    expect((await call).kind).toBe(kind);
    await aborted.promise;
    expect((await failure(it.client.read({}, { signal: stop.signal }))).kind).toBe(kind);
  });

  test("a call made while serving another ends with it", async () => {
    let innerEnded = false;
    await using inner = await startWithClient({
      read: (_request, { signal }) => {
        signal.addEventListener("abort", () => (innerEnded = true));
        return new Promise(() => undefined);
      },
    });
    await using outer = await startWithClient({
      read: (_request, { signal }) => inner.client.read({}, { signal }),
    });
    expect((await failure(outer.client.read({}, { timeoutMs: 100 }))).kind).toBe("deadline-exceeded");
    await until(() => innerEnded);
  });
});

describe("limits", () => {
  test("a large message within the limits arrives whole, both ways", async () => {
    await using it = await startWithClient({ read: ({ data }) => ({ data }) });
    const data = new Uint8Array(20 * 2 ** 20).fill(7);
    data[data.length - 1] = 9;
    const reply = await it.client.read({ data });
    expect(Buffer.compare(reply.data, data)).toBe(0);
  });

  test("a reply beyond the caller's limit is RESOURCE_EXHAUSTED", async () => {
    const server = await start({ read: () => ({ data: new Uint8Array(100_000) }) });
    await using channel = openChannel({ address: `127.0.0.1:${server.grpcPort}`, maxMessageBytes: 65_536 });
    const error = await failure(createClient(ProbeService, channel.transport).read({}));
    expect(error.kind).toBe("resource-exhausted");
    await server.drain();
  });
});

test("a peer's answer is a KindredError for streams as for unary calls", async () => {
  await using it = await startWithClient({
    read: () => {
      throw new KindredError("not-found", "no");
    },
    async *spread() {
      yield {};
      throw new KindredError("not-found", "no");
    },
  });
  await expect(it.client.read({})).rejects.toBeInstanceOf(KindredError);
  await expect(Array.fromAsync(it.client.spread({}))).rejects.toBeInstanceOf(KindredError);
});

test("calls go round the addresses of a target", async () => {
  const served = new Set<number>();
  const servers = await Promise.all([1, 2].map((i) => start({ read: async () => ({ count: i }) })));
  const [a, b] = servers.map(({ grpcPort }) => `127.0.0.1:${grpcPort}`);
  await using channel = openChannel({ address: `ipv4:${a},${b}` });
  const client = createClient(ProbeService, channel.transport);
  for (let i = 0; i < 1000 && served.size < 2; i++) served.add((await client.read({})).count);
  expect(served).toEqual(new Set([1, 2]));
  for (const server of servers) await server.drain();
});
