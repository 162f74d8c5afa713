import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { startRounds } from "./rounds.ts";

function recordingLog() {
  const lines: string[] = [];
  return {
    lines,
    log: {
      info: (_fields: object, message: string) => lines.push(`info ${message}`),
      warn: (_fields: object, message: string) => lines.push(`warn ${message}`),
    },
  };
}

test("rounds go on after one that failed, and end with the disposal", async () => {
  const { lines, log } = recordingLog();
  let calls = 0;
  const third = Promise.withResolvers<void>();
  const rounds = startRounds({
    failure: "it did not work",
    everyMs: 2,
    round: async () => {
      calls += 1;
      if (calls === 1) throw new Error("database away");
      if (calls === 3) third.resolve();
    },
    log,
  });
  await third.promise;
  await rounds[Symbol.asyncDispose]();
  const callsThen = calls;
  await sleep(20);
  expect(calls).toBe(callsThen);
  expect(lines).toEqual(["warn it did not work; the next round tries again"]);
});

test("a round that takes long is not overtaken, and the disposal tells it and waits for it", async () => {
  const release = Promise.withResolvers<void>();
  let running = 0;
  let finished = 0;
  let stopped: AbortSignal | undefined;
  const rounds = startRounds({
    failure: "",
    everyMs: 2,
    atOnce: true,
    round: async (signal) => {
      running += 1;
      stopped = signal;
      await release.promise;
      finished += 1;
    },
    log: recordingLog().log,
  });
  expect(running).toBe(1);
  await sleep(30);
  expect(running).toBe(1);
  expect(stopped?.aborted).toBe(false);
  const disposed = rounds[Symbol.asyncDispose]();
  expect(stopped?.aborted).toBe(true);
  release.resolve();
  await disposed;
  expect(finished).toBe(1);
});
