import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { KindredError } from "@kindred/errors";
import type { Priority } from "../embedder.ts";
import { FakeClock, settleWork } from "./clock-fixture.ts";
import { RateLimiter, type Grant, type RateLimits } from "./rate-limiter.ts";

interface Started {
  readonly name: number;
  readonly priority: Priority;
  readonly tokens: number;
  readonly at: number;
}

function setUp(limits: Partial<RateLimits> & { maxPauseMs?: number } = {}) {
  const clock = new FakeClock();
  const limiter = new RateLimiter({ maxConcurrency: 1000, ...limits, clock });
  const started: Started[] = [];
  let names = 0;
  /** Asks for leave; what starts is noted, and over after `ms`. */
  const ask = (
    tokens: number,
    options: { priority?: Priority; signal?: AbortSignal; ticket?: number; ms?: number; used?: number } = {},
  ): Promise<Grant> => {
    const { priority = "interactive", signal = new AbortController().signal, ms = 0, used } = options;
    const name = names++;
    const granted = limiter.acquire(tokens, { priority, signal, ticket: options.ticket ?? limiter.ticket() });
    const note = (grant: Grant): void => {
      started.push({ name, priority, tokens, at: clock.now() });
      clock.after(ms, () => grant.settle(used));
    };
    granted.then(note, () => undefined);
    return granted;
  };
  return { clock, limiter, started, ask };
}

const names = (started: readonly Started[]): number[] => started.map(({ name }) => name);

describe("rates", () => {
  test("without limits everything starts at once", async () => {
    const { started, ask, clock } = setUp();
    for (let i = 0; i < 100; i++) void ask(1e6);
    await settleWork();
    expect(started).toHaveLength(100);
    expect(clock.now()).toBe(0);
  });

  test("requests and tokens are limited together", async () => {
    // 10 requests at once and 591 a minute; 6,000 tokens at once and 54,000 a minute.
    const { started, ask, clock } = setUp({ requestsPerMinute: 100, tokensPerMinute: 60_000 });
    for (let i = 0; i < 12; i++) void ask(100);
    await settleWork();
    expect(started).toHaveLength(10);
    await clock.advance(2000);
    expect(started).toHaveLength(12);
    await clock.advance(60_000);
    void ask(6000);
    void ask(900);
    await settleWork();
    expect(started).toHaveLength(13);
    await clock.advance(999);
    expect(started).toHaveLength(13);
    await clock.advance(1);
    expect(started).toHaveLength(14);
  });

  test("what is larger than a minute's share gets through, and then it is quiet", async () => {
    const { started, ask, clock } = setUp({ tokensPerMinute: 60_000 });
    void ask(1);
    void ask(96_000);
    void ask(1);
    await clock.advance(60_000);
    expect(started.map(({ at }) => at)).toEqual([0, 2]);
    await clock.advance(60_000);
    // 90,000 tokens of debt flow in at 0.9 a millisecond.
    expect(started.map(({ at }) => at)).toEqual([0, 2, 100_004]);
  });

  test("usage corrects the estimate, up and down", async () => {
    const cheap = setUp({ tokensPerMinute: 60_000 });
    void cheap.ask(6000, { used: 1000 });
    void cheap.ask(5000);
    await cheap.clock.advance(1);
    expect(names(cheap.started)).toEqual([0, 1]);

    const dear = setUp({ tokensPerMinute: 60_000 });
    void dear.ask(1000, { used: 8000 });
    await dear.clock.advance(0);
    void dear.ask(1);
    await dear.clock.advance(2200);
    expect(names(dear.started)).toEqual([0]);
    await dear.clock.advance(100);
    expect(names(dear.started)).toEqual([0, 1]);
  });

  test("a request is settled once", async () => {
    const { ask, limiter, clock } = setUp({ tokensPerMinute: 60_000, maxConcurrency: 1 });
    const grant = await ask(6000, { ms: 1e6 });
    grant.settle(6000);
    grant.settle(0);
    grant.settle(0);
    void ask(6000, { ms: 1e6 });
    void ask(1, { ms: 1e6 });
    await clock.advance(7000);
    expect(limiter.queuedTokens("interactive")).toBe(1);
  });

  test("what the provider says is left counts, where it is less", async () => {
    const { started, ask, limiter, clock } = setUp({ tokensPerMinute: 60_000, requestsPerMinute: 600 });
    limiter.observe({ remainingTokens: 10, remainingRequests: 500 });
    void ask(100);
    await clock.advance(99);
    expect(started).toHaveLength(0);
    await clock.advance(1);
    expect(started).toHaveLength(1);
    limiter.observe({ remainingTokens: 1e9 });
    void ask(6000);
    await clock.advance(5000);
    expect(started).toHaveLength(1);
  });

  test("in no minute is there more than the limits, whatever is asked for", async () => {
    const wish = fc.record({
      tokens: fc.integer({ min: 1, max: 3000 }),
      priority: fc.constantFrom<Priority>("interactive", "bulk"),
      afterMs: fc.nat(2000),
      ms: fc.nat(5000),
      // Estimates are no lower than what is charged.
      usedShare: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(wish, { minLength: 1, maxLength: 60 }), async (wishes) => {
        const { clock, started, ask } = setUp({
          requestsPerMinute: 40,
          tokensPerMinute: 30_000,
          maxConcurrency: 5,
        });
        const usedBy = new Map<number, number>();
        const all = [];
        for (const [i, { tokens, usedShare, afterMs, ...rest }] of wishes.entries()) {
          await clock.advance(afterMs);
          usedBy.set(i, Math.ceil(tokens * usedShare));
          all.push(ask(tokens, { ...rest, used: usedBy.get(i) as number }));
        }
        await clock.advanceUntil(Promise.all(all));
        for (const { at } of started) {
          const minute = started.filter((other) => other.at >= at && other.at < at + 60_000);
          expect(minute.length).toBeLessThanOrEqual(40);
          const tokens = minute.reduce((sum, { name }) => sum + (usedBy.get(name) as number), 0);
          expect(tokens).toBeLessThanOrEqual(30_000);
        }
        for (const priority of ["interactive", "bulk"] as const) {
          const order = names(started.filter((one) => one.priority === priority));
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        }
        expect(started).toHaveLength(wishes.length);
      }),
      { numRuns: 100 },
    );
  });
});

describe("the line", () => {
  test("is first come, first served, whatever is asked for", async () => {
    const { clock, started, ask } = setUp({ tokensPerMinute: 60_000 });
    for (const tokens of [6000, 5000, 1, 4000, 1]) void ask(tokens);
    await clock.advance(60_000);
    expect(names(started)).toEqual([0, 1, 2, 3, 4]);
  });

  test("what is tried again keeps its place", async () => {
    const { clock, limiter, started, ask } = setUp({ maxConcurrency: 1 });
    const ticket = limiter.ticket();
    void ask(1, { ticket, ms: 10 });
    void ask(1, { ms: 10 });
    void ask(1, { ms: 10 });
    await clock.advance(5);
    void ask(1, { ticket, ms: 10 });
    await clock.advance(100);
    expect(names(started)).toEqual([0, 3, 1, 2]);
  });

  test("is left by who is aborted, with his reason, and the others move up", async () => {
    const { clock, limiter, started, ask } = setUp({ tokensPerMinute: 60_000 });
    void ask(6000);
    const controller = new AbortController();
    const large = ask(6000, { signal: controller.signal });
    void ask(90);
    await settleWork();
    expect(limiter.queuedTokens("interactive")).toBe(6090);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(large).rejects.toBe(reason);
    expect(limiter.queuedTokens("interactive")).toBe(90);
    await clock.advance(100);
    expect(names(started)).toEqual([0, 2]);
    await expect(ask(1, { signal: controller.signal })).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });

  test("what has started is not recalled by an abort", async () => {
    const { ask } = setUp();
    const controller = new AbortController();
    const granted = ask(1, { signal: controller.signal });
    controller.abort(new Error("too late"));
    await expect(granted).resolves.toBeDefined();
  });

  test("no more run at once than are allowed, and bulk work leaves a place", async () => {
    const { clock, started, ask } = setUp({ maxConcurrency: 3 });
    for (let i = 0; i < 4; i++) void ask(1, { priority: "bulk", ms: 100 });
    await settleWork();
    expect(started).toHaveLength(2);
    for (let i = 0; i < 2; i++) void ask(1, { ms: 100 });
    await settleWork();
    expect(names(started)).toEqual([0, 1, 4]);
    await clock.advance(100);
    expect(names(started)).toEqual([0, 1, 4, 5, 2, 3]);
  });

  test("a single place is bulk work's too", async () => {
    const { clock, started, ask } = setUp({ maxConcurrency: 1 });
    void ask(1, { priority: "bulk", ms: 10 });
    void ask(1, { priority: "bulk", ms: 10 });
    await clock.advance(10);
    expect(started).toHaveLength(2);
  });

  test("interactive work goes first, and finds something left by bulk work", async () => {
    const { clock, started, ask } = setUp({ tokensPerMinute: 60_000 });
    for (let i = 0; i < 10; i++) void ask(1000, { priority: "bulk" });
    await settleWork();
    // 6,000 at once, of which a fifth is kept.
    expect(started).toHaveLength(4);
    void ask(1200);
    await settleWork();
    expect(names(started)).toEqual([0, 1, 2, 3, 10]);
    await clock.advance(60_000);
    expect(started).toHaveLength(11);
  });

  test("bulk work gets a fifth while interactive work never ends", async () => {
    const { clock, started, ask } = setUp({ tokensPerMinute: 60_000 });
    for (let i = 0; i < 40; i++) void ask(1000, { priority: "bulk" });
    for (let i = 0; i < 200; i++) void ask(1000);
    await clock.advance(120_000);
    // Bulk work that came first had the bucket for itself.
    const shared = started.filter(({ at }) => at > 0);
    const bulk = shared.filter(({ priority }) => priority === "bulk").length;
    expect(shared.length).toBeGreaterThan(100);
    expect(bulk / shared.length).toBeGreaterThan(0.18);
    expect(bulk / shared.length).toBeLessThan(0.22);
  });

  test("nobody starves: whatever is asked for, bulk work has its turn while interactive work goes on", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 6000 }),
        async (bulkSizes, interactiveSize) => {
          const { clock, started, ask } = setUp({ tokensPerMinute: 60_000, maxConcurrency: 4 });
          const again = (): void => {
            void ask(interactiveSize, { ms: 500 }).then(again);
          };
          for (let i = 0; i < 6; i++) again();
          const bulk = bulkSizes.map((tokens) => ask(tokens, { priority: "bulk", ms: 50 }));
          const bulkTokens = bulkSizes.reduce((sum, tokens) => sum + tokens, 0);
          // Its share of the rate, and for each of them four interactive requests and a full bucket.
          const enoughMs = (5 * bulkTokens + bulk.length * (4 * interactiveSize + 6000)) / 0.9 + 10_000;
          await clock.advanceUntil(Promise.all(bulk), enoughMs);
          expect(started.some(({ priority }) => priority === "interactive")).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("a pause", () => {
  test("stops all, and is only ever prolonged", async () => {
    const { clock, limiter, started, ask } = setUp();
    limiter.pause(500);
    limiter.pause(100);
    expect(limiter.pausedMs).toBe(500);
    void ask(1);
    void ask(1, { priority: "bulk" });
    await clock.advance(499);
    expect(started).toHaveLength(0);
    limiter.pause(200);
    await clock.advance(200);
    expect(started).toHaveLength(2);
    expect(started[0]?.at).toBe(699);
  });

  test("that is too long is not waited for", async () => {
    const { clock, limiter, ask, started } = setUp({ maxPauseMs: 1000 });
    limiter.pause(900);
    const waiting = ask(1);
    limiter.pause(5000);
    const expected = { kind: "resource-exhausted", retryAfterMs: 5000 } satisfies Partial<KindredError>;
    await expect(waiting).rejects.toMatchObject(expected);
    await expect(ask(1)).rejects.toMatchObject(expected);
    expect(limiter.queuedTokens("interactive")).toBe(0);
    await clock.advance(4500);
    void ask(1);
    await clock.advance(500);
    expect(started).toHaveLength(1);
  });
});

describe("how long it takes until there is room", () => {
  test("follows the rates, and a pause", () => {
    const { limiter, ask } = setUp({ tokensPerMinute: 60_000, requestsPerMinute: 6000 });
    void ask(6000);
    for (let i = 0; i < 10; i++) void ask(900);
    expect(limiter.msToStart(9000, "interactive")).toBe(10_000);
    limiter.pause(500);
    expect(limiter.msToStart(9000, "interactive")).toBe(10_500);
  });

  test("counts requests where those are what is short", () => {
    const { limiter, ask } = setUp({ requestsPerMinute: 10 });
    for (let i = 0; i < 11; i++) void ask(100);
    expect(limiter.msToStart(500, "interactive")).toBe(30_000);
  });

  test("follows what was measured where nothing is limited", async () => {
    const { limiter, ask, clock } = setUp({ maxConcurrency: 1 });
    for (let i = 0; i < 100; i++) {
      void ask(1000, { ms: 1000 });
      await clock.advance(1000);
    }
    const ms = limiter.msToStart(10_000, "interactive");
    expect(ms).toBeGreaterThan(9000);
    expect(ms).toBeLessThanOrEqual(10_000);
  });
});
