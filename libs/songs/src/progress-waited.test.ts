import { expect, test } from "@jest/globals";
import { Progress } from "./progress.ts";

test("waits that are told of when they are over count once for the time that they share", () => {
  let now = 0;
  const progress = new Progress({ command: "embed", phase: "embedding", now: () => now });
  now = 10_000;
  // From 2 to 6 s, from 4 to 8 s, and from 5 to 7 s.
  progress.waited({ agoMs: 8_000, ms: 4_000 });
  progress.waited({ agoMs: 6_000, ms: 4_000 });
  progress.waited({ agoMs: 5_000, ms: 2_000 });
  expect(progress.snapshot()).toMatchObject({ rateLimitWaits: 3, rateLimitWaitMs: 6_000 });
  now = 20_000;
  progress.waited({ agoMs: 1_000, ms: 1_000 });
  expect(progress.snapshot()).toMatchObject({ rateLimitWaits: 4, rateLimitWaitMs: 7_000 });
});
