import { describe, expect, test } from "@jest/globals";
import type { ProgressSnapshot } from "@kindred/songs";
import { formatLeft, progressLine } from "./render-progress.ts";
import { stateOf } from "./render-status.ts";

const NOTHING: ProgressSnapshot = {
  command: "embed",
  phase: "embedding",
  done: 0,
  doneNow: 0,
  total: null,
  totalIsEstimate: false,
  skipped: 0,
  truncated: 0,
  bytes: 0,
  tokens: 0,
  cost: null,
  retries: 0,
  rateLimitWaits: 0,
  rateLimitWaitMs: 0,
  waiting: null,
  perSecond: null,
  leftMs: null,
  elapsedMs: 0,
};

describe("a line of progress", () => {
  test("says nothing of what is not known", () => {
    expect(progressLine(NOTHING)).toBe("embedding: 0 songs");
  });

  test("has everything that is known", () => {
    const line = progressLine({
      ...NOTHING,
      done: 1_200_000,
      total: 12_000_000,
      totalIsEstimate: true,
      skipped: 310,
      truncated: 12,
      bytes: 2.1 * 2 ** 30,
      tokens: 600_000_000,
      cost: { soFar: 60, estimatedTotal: 600.5, currency: "USD" },
      retries: 1,
      rateLimitWaits: 3,
      rateLimitWaitMs: 42_000,
      waiting: "the provider asks for 12 s",
      perSecond: 4_123.4,
      leftMs: 2_620_000,
    });
    expect(line).toBe(
      "embedding: 1,200,000 of ~12,000,000 songs, 10 %, 4,123/s, 43 min 40 s left, 2.1 GiB, 600,000,000 tokens, " +
        "60.00 of ~600.50 USD, 310 without lyrics, 12 cut, 1 retry, 3 waits for the rate limit (42.0 s), " +
        "waiting: the provider asks for 12 s",
    );
  });

  test("is not done before it is", () => {
    expect(progressLine({ ...NOTHING, done: 999_999, total: 1_000_000 })).toContain("99.9 %");
    expect(progressLine({ ...NOTHING, done: 1_000_000, total: 1_000_000 })).toContain("100 %");
  });
});

test.each([
  [59_000, "59.0 s"],
  [150_000, "2 min 30 s"],
  [5 * 3_600_000 + 12 * 60_000, "5 h 12 min"],
  [76 * 3_600_000, "3 days 4 h"],
])("%d ms left are %s", (ms, text) => {
  expect(formatLeft(ms)).toBe(text);
});

test("a run that says it goes on, and is gone, was killed", () => {
  expect(stateOf({ state: "running", isAlive: true })).toBe("running");
  expect(stateOf({ state: "running", isAlive: false })).toBe("killed");
  expect(stateOf({ state: "done", isAlive: false })).toBe("done");
});
