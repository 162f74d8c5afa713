import { afterEach, describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { startEventDelivery, type DeliverEvents } from "./index.ts";

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

/** A delivery of numbers, and what it logs. */
function start(deliver: DeliverEvents<number>, limits: { maxWaiting?: number; maxBatch?: number } = {}) {
  const lines: [level: string, fields: object, message: string][] = [];
  const writer = (level: string) => (fields: object, message: string) => lines.push([level, fields, message]);
  const logger = { info: writer("info"), warn: writer("warn") } as unknown as Logger;
  const delivery = startEventDelivery({
    deliver,
    maxWaiting: 100,
    maxBatch: 100,
    ...limits,
    what: { taker: "taker", events: "things" },
    logger,
  });
  cleanup.use(delivery);
  return { delivery, lines };
}

const away = () => Promise.reject(new KindredError("unavailable", "away"));

test("events are sent in order, at most so many in a call, and flush says when", async () => {
  const calls: number[][] = [];
  const { delivery } = start((events) => Promise.resolve(calls.push(events)), { maxBatch: 2 });
  delivery.enqueue([1, 2, 3]);
  delivery.enqueue([4, 5]);
  await delivery.flush();
  expect(calls).toEqual([[1, 2], [3, 4], [5]]);
  expect(delivery.waiting).toBe(0);
});

test("a flush of nothing calls nobody, and what is enqueued afterwards is sent", async () => {
  const calls: number[][] = [];
  const { delivery } = start((events) => Promise.resolve(calls.push(events)));
  await delivery.flush();
  expect(calls).toEqual([]);
  delivery.enqueue([1]);
  await delivery.flush();
  expect(calls).toEqual([[1]]);
});

test("what is enqueued the moment a call ends is sent without being asked for", async () => {
  const calls: number[][] = [];
  /** Some microtasks after its call: before, while and after the queue looks for the last time. */
  const enqueueLater = async (after: number): Promise<void> => {
    for (let i = 0; i < after; i++) await undefined;
    delivery.enqueue([after + 1]);
  };
  const { delivery } = start(async (events) => {
    calls.push(events);
    const [first = 0] = events;
    if (first < 10) void enqueueLater(first);
  });
  delivery.enqueue([1]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls.flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

describe("while the taker is away", () => {
  test("events wait, the oldest give way, and a flush tries again", async () => {
    const calls: number[][] = [];
    let reply: DeliverEvents<number> = away;
    const { delivery, lines } = start(
      (events, signal) => {
        calls.push([...events]);
        return reply(events, signal);
      },
      { maxWaiting: 3 },
    );
    delivery.enqueue([1, 2]);
    await delivery.flush();
    expect(delivery.waiting).toBe(2);
    expect(lines).toEqual([]);
    delivery.enqueue([3, 4]);
    await delivery.flush();
    await delivery.flush();
    expect(lines).toEqual([["warn", { reason: "away" }, "the taker is away; things may be lost"]]);
    expect(delivery.waiting).toBe(3);
    reply = () => Promise.resolve();
    await delivery.flush();
    expect(calls).toEqual([
      [1, 2],
      [2, 3, 4],
      [2, 3, 4],
      [2, 3, 4],
    ]);
    expect(lines.slice(1)).toEqual([["info", { things_lost: 1 }, "the taker is back"]]);
    expect(delivery.waiting).toBe(0);
  });

  test("a function that throws at once is a call that failed", async () => {
    const { delivery } = start(() => {
      throw new KindredError("unavailable", "not even begun");
    });
    delivery.enqueue([1]);
    await delivery.flush();
    expect(delivery.waiting).toBe(1);
  });
});

test("with any other error the events of the call are lost, those behind them are not", async () => {
  const calls: number[][] = [];
  const { delivery } = start(
    (events) => {
      calls.push(events);
      return events.includes(1) ? Promise.reject(new Error("no")) : Promise.resolve();
    },
    { maxBatch: 1 },
  );
  delivery.enqueue([1, 2]);
  await delivery.flush();
  expect(delivery.waiting).toBe(1);
  await delivery.flush();
  expect(calls).toEqual([[1], [2]]);
});

test("disposing gives up the call in flight and sends nothing more", async () => {
  const calls: number[][] = [];
  const called = Promise.withResolvers<void>();
  const { delivery, lines } = start((events, signal) => {
    calls.push(events);
    called.resolve();
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  });
  delivery.enqueue([1]);
  await called.promise;
  delivery.enqueue([2]);
  await delivery[Symbol.asyncDispose]();
  delivery.enqueue([3]);
  await delivery.flush();
  expect(calls).toEqual([[1]]);
  expect(lines).toEqual([]);
});
