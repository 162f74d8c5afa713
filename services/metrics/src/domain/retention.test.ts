import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { deleteOldSamples, startRetention, type RetentionOptions } from "./retention.ts";

interface Line {
  level: string;
  fields: object;
}

/** Options over a store that has this many old samples. */
function withOldSamples(old: number): { options: RetentionOptions; batches: number[]; lines: Line[] } {
  const batches: number[] = [];
  const lines: Line[] = [];
  let left = old;
  return {
    batches,
    lines,
    options: {
      store: {
        deleteOlderThan: (ageMs, limit) => {
          expect(ageMs).toBe(1000);
          const deleted = Math.min(left, limit);
          left -= deleted;
          batches.push(deleted);
          return Promise.resolve(deleted);
        },
      },
      keepMs: 1000,
      everyMs: 2,
      batchSize: 10,
      log: {
        info: (fields) => lines.push({ level: "info", fields }),
        warn: (fields) => lines.push({ level: "warn", fields }),
      },
    },
  };
}

describe("a round", () => {
  test.each([
    [0, [0]],
    [7, [7]],
    [25, [10, 10, 5]],
    [20, [10, 10, 0]],
  ])("of %d old samples deletes them batch by batch", async (old, expected) => {
    const { options, batches, lines } = withOldSamples(old);
    await deleteOldSamples(options, new AbortController().signal);
    expect(batches).toEqual(expected);
    expect(lines).toEqual(old === 0 ? [] : [{ level: "info", fields: { deleted: old } }]);
  });

  test("ends between two batches when it is stopped", async () => {
    const { options, batches } = withOldSamples(100);
    const stop = new AbortController();
    const { deleteOlderThan } = options.store;
    options.store = {
      deleteOlderThan: (...given) => {
        if (batches.length === 1) stop.abort();
        return deleteOlderThan(...given);
      },
    };
    await deleteOldSamples(options, stop.signal);
    expect(batches).toEqual([10, 10]);
  });
});

test("rounds go on after one that failed, and end with the disposal", async () => {
  const { options, lines } = withOldSamples(0);
  let calls = 0;
  const third = Promise.withResolvers<void>();
  options.store = {
    deleteOlderThan: async () => {
      calls += 1;
      if (calls === 1) throw new Error("database away");
      if (calls === 3) third.resolve();
      return 0;
    },
  };
  const retention = startRetention(options);
  await third.promise;
  await retention[Symbol.asyncDispose]();
  const callsThen = calls;
  await sleep(20);
  expect(calls).toBe(callsThen);
  expect(lines.map((line) => line.level)).toEqual(["warn"]);
});

test("a round that takes long is not overtaken, and the disposal waits for it", async () => {
  const { options } = withOldSamples(0);
  const release = Promise.withResolvers<number>();
  let running = 0;
  let finished = 0;
  options.store = {
    deleteOlderThan: async () => {
      running += 1;
      const deleted = await release.promise;
      finished += 1;
      return deleted;
    },
  };
  const retention = startRetention(options);
  await sleep(30);
  expect(running).toBe(1);
  const disposed = retention[Symbol.asyncDispose]();
  release.resolve(0);
  await disposed;
  expect(finished).toBe(1);
});
