import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { FakeClock } from "./clock-fixture.ts";
import { ProviderFailure, type ProviderFailureKind } from "./provider.ts";
import { RetryBudget } from "./retry-budget.ts";
import { decideRetry, RETRY_POLICY } from "./retry-policy.ts";

const policy = { ...RETRY_POLICY, maxAttempts: 4, baseMs: 100, maxMs: 300, maxRetryAfterMs: 10_000 };

function decide(
  kind: ProviderFailureKind,
  options: {
    failures?: number;
    badAnswers?: number;
    retryAfterMs?: number;
    random?: number;
    reserve?: number;
  } = {},
) {
  const { failures = 1, badAnswers = 0, retryAfterMs, random = 1, reserve } = options;
  const budget = new RetryBudget({ clock: new FakeClock(), reserve });
  const failure = new ProviderFailure(kind, "no", { retryAfterMs });
  return decideRetry(failure, failures, badAnswers, { policy, budget, random: () => random });
}

describe("what is tried again", () => {
  test("never what is refused or used up", () => {
    expect(decide("refused")).toEqual({ kind: "fail" });
    expect(decide("quota", { retryAfterMs: 1 })).toEqual({ kind: "fail" });
  });

  test.each(["server", "timeout", "connection"] as const)(
    "%s, with waits that grow and jitter fully",
    (kind) => {
      expect(decide(kind, { random: 0 })).toEqual({ kind: "retry", delayMs: 0 });
      expect([1, 2, 3].map((failures) => decide(kind, { failures }))).toEqual([
        { kind: "retry", delayMs: 100 },
        { kind: "retry", delayMs: 200 },
        { kind: "retry", delayMs: 300 },
      ]);
      expect(decide(kind, { failures: 4 })).toEqual({ kind: "fail" });
    },
  );

  test("a bad answer once", () => {
    expect(decide("bad-answer", { badAnswers: 1 })).toMatchObject({ kind: "retry" });
    expect(decide("bad-answer", { badAnswers: 2, failures: 2 })).toEqual({ kind: "fail" });
  });

  test("nothing when the budget is spent, rate limits excepted", () => {
    expect(decide("server", { reserve: 0 })).toEqual({ kind: "fail" });
    expect(decide("rate-limited", { reserve: 0 })).toMatchObject({ kind: "pause" });
  });

  test("after what the provider asks for, and a little later than others", () => {
    expect(decide("rate-limited", { retryAfterMs: 5000, random: 0 })).toEqual({
      kind: "pause",
      delayMs: 5000,
    });
    expect(decide("rate-limited", { retryAfterMs: 5000 })).toEqual({ kind: "pause", delayMs: 5500 });
    expect(decide("rate-limited", { retryAfterMs: 0 })).toEqual({ kind: "pause", delayMs: 100 });
    expect(decide("server", { retryAfterMs: 5000 })).toEqual({ kind: "pause", delayMs: 5500 });
    expect(decide("rate-limited", { retryAfterMs: 10_001 })).toEqual({ kind: "fail" });
  });

  test("more slowly the more often 'soon' was wrong", () => {
    expect(decide("rate-limited", { retryAfterMs: 1, failures: 3, random: 1 })).toEqual({
      kind: "pause",
      delayMs: 300,
    });
    expect(decide("rate-limited", { random: 0 })).toEqual({ kind: "pause", delayMs: 50 });
  });
});

describe("the budget", () => {
  test("is a share of the requests, a few a minute, and what was saved up", () => {
    const clock = new FakeClock();
    const budget = new RetryBudget({ clock, ratio: 0.2, perMinute: 6, reserve: 3 });
    expect([1, 2, 3, 4].map(() => budget.spend())).toEqual([true, true, true, false]);
    for (let i = 0; i < 4; i++) budget.earn();
    expect(budget.spend()).toBe(false);
    budget.earn();
    expect(budget.spend()).toBe(true);
    expect(budget.spend()).toBe(false);
  });

  test("comes back with time, up to the reserve", async () => {
    const clock = new FakeClock();
    const budget = new RetryBudget({ clock, perMinute: 6, reserve: 2 });
    while (budget.spend());
    await clock.advance(10_000);
    expect([budget.spend(), budget.spend()]).toEqual([true, false]);
    await clock.advance(3_600_000);
    expect([budget.spend(), budget.spend(), budget.spend()]).toEqual([true, true, false]);
  });

  test("when everything fails, retries stay a fifth of the load and the reserve", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 500 }), (requests) => {
        const budget = new RetryBudget({ clock: new FakeClock(), ratio: 0.2, reserve: 10 });
        let retries = 0;
        for (let i = 0; i < requests; i++) {
          budget.earn();
          if (budget.spend()) retries++;
        }
        expect(retries).toBeLessThanOrEqual(10 + 0.2 * requests);
      }),
    );
  });
});
