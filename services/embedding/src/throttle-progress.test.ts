import { expect, test } from "@jest/globals";
import type { ModelProgress } from "./domain/model-files.ts";
import { throttleProgress } from "./throttle-progress.ts";

test("passes on the first and the last of each phase, and ten a second between", () => {
  const seen: string[] = [];
  let now = 0;
  const report = throttleProgress(
    ({ phase, done }: ModelProgress) => seen.push(`${phase} ${done}`),
    () => now,
  );
  for (let done = 0; done <= 100; done++) {
    now = done * 3;
    report({ phase: "download", done, total: 100, source: "hub" });
  }
  report({ phase: "verify", done: 1, total: 100, source: "hub" });
  report({ phase: "verify", done: 100, total: 100, source: "hub" });
  expect(seen).toEqual([
    "download 0",
    "download 34",
    "download 68",
    "download 100",
    "verify 1",
    "verify 100",
  ]);
});
