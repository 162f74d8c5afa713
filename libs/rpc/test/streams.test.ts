import { connect } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { activeTraceparent, withRemoteTrace } from "@kindred/telemetry";
import { envelope, everyWay, failure, settled, startWithClient, until, WAYS, type Ways } from "./fixture.ts";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async function* numbers(count: number) {
  for (let i = 1; i <= count; i++) yield { count: i };
}

describe("the four kinds of methods", () => {
  let ways: Ways;
  beforeAll(async () => {
    ways = await everyWay({
      read: ({ text, data }) => ({ text: `${text}!`, data: data.toReversed() }),
      async collect(requests) {
        let sum = 0;
        for await (const { count } of requests) sum += count;
        return { count: sum };
      },
      async *spread({ count }) {
        yield* numbers(count);
      },
      async *chat(requests) {
        for await (const { count } of requests) yield { count: count * 2 };
      },
    });
  });
  afterAll(async () => ways[Symbol.asyncDispose]());

  test.each(WAYS)("over %s", async (way) => {
    const client = ways.client(way);
    const reply = await client.read({ text: "ü", data: Uint8Array.of(1, 2, 3) });
    expect(reply.text).toBe("ü!");
    // Not a Buffer, which is another type to whoever compares or serialises it.
    expect(Object.getPrototypeOf(reply.data)).toBe(Uint8Array.prototype);
    expect([...reply.data]).toEqual([3, 2, 1]);
    expect((await client.collect(numbers(1000))).count).toBe(500_500);
    expect((await client.collect(numbers(0))).count).toBe(0);
    const spread = await Array.fromAsync(client.spread({ count: 1000 }));
    expect(spread.map(({ count }) => count)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
    expect(await Array.fromAsync(client.spread({ count: 0 }))).toEqual([]);
  });

  test.each(["gRPC", "memory"])("both directions at once over %s", async (way) => {
    const replies: number[] = [];
    async function* oneByOne() {
      for (let i = 1; i <= 5; i++) {
        yield { count: i };
        // The next request depends on the reply to this one.
        await until(() => replies.length === i);
      }
    }
    for await (const { count } of ways.client(way).chat(oneByOne())) replies.push(count);
    expect(replies).toEqual([2, 4, 6, 8, 10]);
  });
});

describe("backpressure on the gRPC port", () => {
  const MESSAGE = { data: new Uint8Array(64 * 1024) };
  const ALL = 1_500;

  test("a slow reader slows the implementation down", async () => {
    let produced = 0;
    await using it = await startWithClient({
      async *spread() {
        for (; produced < ALL; produced++) yield MESSAGE;
      },
    });
    const stop = new AbortController();
    const reader = it.client.spread({}, { signal: stop.signal })[Symbol.asyncIterator]();
    await reader.next();
    // 4 MiB of window are 64 messages; the streams' own buffers hold some dozens.
    expect(await settled(() => produced)).toBeLessThan(400);
    stop.abort();
  });

  test("a slow implementation slows the sender down", async () => {
    const go = Promise.withResolvers<void>();
    let sent = 0;
    let received = 0;
    await using it = await startWithClient({
      async collect(requests) {
        for await (const _ of requests) {
          received += 1;
          await go.promise;
        }
        return { count: received };
      },
    });
    async function* source() {
      for (; sent < ALL; sent++) yield MESSAGE;
    }
    const call = it.client.collect(source());
    expect(await settled(() => sent)).toBeLessThan(400);
    expect(received).toBe(1);
    go.resolve();
    expect((await call).count).toBe(ALL);
  });
});

describe("streams that end early", () => {
  test("an implementation that has seen enough answers, and the sender stops", async () => {
    let sent = 0;
    await using it = await startWithClient({
      async collect(requests) {
        for await (const { count } of requests) if (count === 3) return { text: "enough" };
        return { text: "all" };
      },
      async *chat(requests) {
        for await (const { count } of requests) {
          yield { count };
          if (count === 3) return;
        }
      },
    });
    async function* source() {
      for (;;) yield { count: ++sent, data: new Uint8Array(1024) };
    }
    expect((await it.client.collect(source())).text).toBe("enough");
    sent = 0;
    expect((await Array.fromAsync(it.client.chat(source()))).map(({ count }) => count)).toEqual([1, 2, 3]);
  });

  test("an error ends the sender's stream with its details", async () => {
    let sent = 0;
    await using it = await startWithClient({
      async collect(requests) {
        for await (const { count } of requests) {
          if (count === 3) throw new KindredError("not-found", "no 3", { metadata: { batches_stored: "2" } });
        }
        return {};
      },
    });
    async function* source() {
      for (;;) yield { count: ++sent };
    }
    expect(await failure(it.client.collect(source()))).toMatchObject({
      kind: "not-found",
      message: "no 3",
      metadata: { batches_stored: "2" },
    });
  });

  test("a sender that fails gets its own error, and the implementation never takes what it got for all", async () => {
    const entered = Promise.withResolvers<void>();
    const seen = Promise.withResolvers<unknown>();
    await using it = await startWithClient({
      async collect(requests, { signal }) {
        entered.resolve();
        try {
          seen.resolve({ whole: await Array.fromAsync(requests) });
        } catch {
          seen.resolve({ cancelled: signal.aborted });
        }
        return {};
      },
    });
    async function* broken() {
      yield { count: 1 };
      await entered.promise;
      throw new KindredError("data-loss", "the file ends in the middle");
    }
    expect(await failure(it.client.collect(broken()))).toMatchObject({
      kind: "data-loss",
      message: "the file ends in the middle",
    });
    expect(await seen.promise).toEqual({ cancelled: true });
  });

  test("a sender whose connection is lost has not said that this was all either", async () => {
    const entered = Promise.withResolvers<void>();
    const seen = Promise.withResolvers<unknown>();
    await using it = await startWithClient({
      async collect(requests) {
        try {
          for await (const _ of requests) entered.resolve();
          seen.resolve("whole");
        } catch {
          seen.resolve("cancelled");
        }
        return {};
      },
    });
    const session = connect(`http://127.0.0.1:${it.server.grpcPort}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/probe.v1.ProbeService/Collect",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => undefined);
    stream.write(envelope(Uint8Array.of(0x10, 1)));
    await entered.promise;
    session.socket.destroy();
    expect(await seen.promise).toBe("cancelled");
  });

  test("a reader that cancels ends the implementation's generator", async () => {
    const ended = Promise.withResolvers<void>();
    await using it = await startWithClient({
      async *spread(_request, { signal }) {
        try {
          for (let i = 0; ; i++) {
            yield { count: i };
            await new Promise((resolve) => setImmediate(resolve));
            signal.throwIfAborted();
          }
        } finally {
          ended.resolve();
        }
      },
    });
    const stop = new AbortController();
    const read = async (): Promise<void> => {
      for await (const { count } of it.client.spread({}, { signal: stop.signal }))
        if (count === 5) stop.abort();
    };
    expect((await failure(read())).kind).toBe("cancelled");
    await ended.promise;
  });
});

test("a generator that does not watch its signal is ended where it yields next", async () => {
  const aborted = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  await using it = await startWithClient({
    async *spread(_request, { signal }) {
      try {
        yield { count: 1 };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        // Whoever answers aborted calls comes first.
        await new Promise((resolve) => setImmediate(resolve));
        aborted.resolve();
        yield { count: 2 };
        throw new Error("nobody waits for a third message");
      } finally {
        ended.resolve();
      }
    },
  });
  const stop = new AbortController();
  const reader = it.client.spread({}, { signal: stop.signal })[Symbol.asyncIterator]();
  await reader.next();
  stop.abort();
  expect((await failure(reader.next())).kind).toBe("cancelled");
  await aborted.promise;
  await ended.promise;
});

describe("the caller's trace", () => {
  test.each(WAYS)("is the active one in every step of a call over %s", async (way) => {
    const seen: (string | undefined)[] = [];
    await using ways = await everyWay({
      read: () => {
        seen.push(activeTraceparent());
        return {};
      },
      async *spread() {
        seen.push(activeTraceparent());
        yield {};
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(activeTraceparent());
        yield {};
      },
    });
    // Other clients than ours send the header themselves.
    const options = way === "gRPC" ? {} : { headers: { traceparent: TRACEPARENT } };
    await withRemoteTrace(TRACEPARENT, async () => {
      await ways.client(way).read({}, options);
      await Array.fromAsync(ways.client(way).spread({}, options));
    });
    expect(seen).toEqual([TRACEPARENT, TRACEPARENT, TRACEPARENT]);
    expect(ways.lines.filter(({ message }) => message === "call")).toHaveLength(2);
  });
});
