import { describe, expect, test } from "@jest/globals";
import { durationMs, reportedLimits, retryAfterMs } from "./rate-headers.ts";

const now = Date.parse("Wed, 21 Oct 2015 07:28:00 GMT");

describe("how long to wait", () => {
  test.each<[Record<string, string>, number | undefined]>([
    [{}, undefined],
    [{ "retry-after-ms": "250", "retry-after": "9" }, 250],
    [{ "retry-after": "2" }, 2000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT" }, 30_000],
    [{ "retry-after": "Wed, 21 Oct 2015 07:00:00 GMT" }, 0],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after": "" }, undefined],
    [{ "retry-after": "-5", "retry-after-ms": "x" }, undefined],
    [{ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s" }, 360_000],
    [{ "x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m0s" }, undefined],
    [
      {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "2.5s",
      },
      2500,
    ],
  ])("%j is %p", (headers, ms) => {
    expect(retryAfterMs(new Headers(headers), now)).toBe(ms);
  });
});

test.each<[string | null, number | undefined]>([
  ["20ms", 20],
  ["1s", 1000],
  ["1m30s", 90_000],
  ["1h2m3.5s", 3_723_500],
  ["1d", 86_400_000],
  ["7", 7000],
  ["", undefined],
  [null, undefined],
  ["1w", undefined],
  ["s", undefined],
])("the duration %p is %p", (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test("what is left, as OpenAI and as Fireworks say it", () => {
  expect(reportedLimits(new Headers())).toBeUndefined();
  expect(reportedLimits(new Headers({ "x-ratelimit-remaining-requests": "5" }))).toEqual({
    remainingRequests: 5,
    remainingTokens: undefined,
  });
  expect(reportedLimits(new Headers({ "x-ratelimit-remaining-tokens": "50" }))?.remainingTokens).toBe(50);
  expect(reportedLimits(new Headers({ "x-ratelimit-remaining-tokens-prompt": "9" }))?.remainingTokens).toBe(
    9,
  );
  expect(reportedLimits(new Headers({ "x-ratelimit-remaining-requests": "many" }))).toBeUndefined();
});
