import { describe, expect, test } from "@jest/globals";
import { Progress, type ProgressOptions } from "./progress.ts";

function progressAt(options: Partial<ProgressOptions> = {}): {
  progress: Progress;
  pass: (ms: number) => void;
} {
  let now = 1_000;
  const progress = new Progress({ command: "embed", phase: "embedding", now: () => now, ...options });
  return { progress, pass: (ms) => void (now += ms) };
}

describe("rate and time left", () => {
  test("nothing is foretold before anything was done", () => {
    const { progress, pass } = progressAt({ total: 100 });
    pass(5_000);
    expect(progress.snapshot()).toMatchObject({ perSecond: null, leftMs: null, done: 0, elapsedMs: 5_000 });
  });

  test("what earlier runs did counts as done, and not for the rate", () => {
    const { progress, pass } = progressAt({ total: 1_000 });
    progress.resumed({ done: 500, skipped: 7 });
    pass(10_000);
    progress.add({ done: 100, skipped: 1 });
    expect(progress.snapshot()).toMatchObject({
      done: 600,
      doneNow: 100,
      skipped: 8,
      perSecond: 10,
      leftMs: 40_000,
    });
  });

  test("go by the last minute, and not by an hour ago", () => {
    const { progress, pass } = progressAt({ total: 1_000_000 });
    for (let i = 0; i < 600; i += 1) {
      pass(1_000);
      progress.add({ done: 100 });
    }
    expect(progress.snapshot().perSecond).toBe(100);
    for (let i = 0; i < 120; i += 1) {
      pass(1_000);
      progress.add({ done: 10 });
    }
    expect(progress.snapshot()).toMatchObject({ perSecond: 10, done: 61_200, leftMs: 93_880_000 });
  });

  test("fall while it stands still", () => {
    const { progress, pass } = progressAt({ total: 100 });
    pass(1_000);
    progress.add({ done: 10 });
    pass(9_000);
    expect(progress.snapshot().perSecond).toBe(1);
  });

  test("there is no time left once all is done, also when an estimate was too low", () => {
    const { progress, pass } = progressAt({ total: 10, totalIsEstimate: true });
    pass(1_000);
    progress.add({ done: 12 });
    expect(progress.snapshot()).toMatchObject({ done: 12, total: 10, leftMs: null });
  });
});

describe("costs", () => {
  test("are not known without a price", () => {
    const { progress } = progressAt({ total: 10 });
    progress.add({ done: 1, tokens: 500 });
    expect(progress.snapshot()).toMatchObject({ tokens: 500, cost: null });
  });

  test("are foretold for what this run has to do", () => {
    const { progress } = progressAt({
      total: 1_000,
      price: { perMillionTokens: 0.1, currency: "USD" },
    });
    progress.resumed({ done: 500 });
    progress.add({ done: 50, tokens: 1_000_000 });
    expect(progress.snapshot().cost).toEqual({ soFar: 0.1, estimatedTotal: 1, currency: "USD" });
  });
});

describe("waits", () => {
  test("of several at once count as many, and their time once", () => {
    const { progress, pass } = progressAt();
    const first = progress.waiting("12 s", { rateLimit: true });
    pass(1_000);
    const second = progress.waiting("3 s", { rateLimit: true });
    expect(progress.snapshot()).toMatchObject({ waiting: "3 s", rateLimitWaits: 2, rateLimitWaitMs: 1_000 });
    pass(1_000);
    first[Symbol.dispose]();
    pass(1_000);
    second[Symbol.dispose]();
    second[Symbol.dispose]();
    pass(1_000);
    expect(progress.snapshot()).toMatchObject({ waiting: null, rateLimitWaits: 2, rateLimitWaitMs: 3_000 });
  });

  test("for a service are none for a limit", () => {
    const { progress } = progressAt();
    progress.waiting("the service is away", { rateLimit: false });
    expect(progress.snapshot()).toMatchObject({ waiting: "the service is away", rateLimitWaits: 0 });
  });
});
