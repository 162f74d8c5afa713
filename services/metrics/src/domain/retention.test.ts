import { describe, expect, test } from "@jest/globals";
import { keepStorage, type RetentionOptions, type Storage } from "./retention.ts";

const HOUR_MS = 3_600_000;

/** A storage that has so many old rows, and notes what it is asked for. */
function fakeStorage(old: number, keepMs = 720 * HOUR_MS) {
  const asked: string[] = [];
  const lines: object[] = [];
  let left = old;
  const storage: Storage = {
    prepareDays: ({ ahead, keepMs: kept }) => {
      asked.push(`prepare ${ahead} ${kept / HOUR_MS}h`);
      return Promise.resolve([]);
    },
    moveHorizon: (kept, { wholeDays }) => {
      asked.push(`horizon ${kept}${wholeDays ? " in days" : ""}`);
      return Promise.resolve(`then-${kept}`);
    },
    dropDaysBefore: (time) => {
      asked.push(`drop ${time}`);
      return Promise.resolve([]);
    },
    forgetSeriesBefore: (time) => {
      asked.push(`forget ${time}`);
      return Promise.resolve();
    },
    deleteBefore: (kept, time, limit) => {
      expect(time).toBe(`then-${kept}`);
      const deleted = kept === "raw" ? Math.min(left, limit) : 0;
      left -= deleted;
      asked.push(`delete ${kept} ${deleted}`);
      return Promise.resolve(deleted);
    },
  };
  const options: RetentionOptions = {
    storage,
    keepMs: { raw: keepMs, minute: keepMs, hour: keepMs },
    batchSize: 10,
    log: { info: (fields) => lines.push(fields), warn: (fields) => lines.push(fields) },
  };
  return { options, asked, lines };
}

describe("a round", () => {
  test("makes room, moves the horizon, and only then lets go", async () => {
    const { options, asked } = fakeStorage(0);
    await keepStorage(options, new AbortController().signal);
    expect(asked).toEqual([
      "prepare 3 720h",
      "horizon raw in days",
      "drop then-raw",
      "delete raw 0",
      "forget then-raw",
      "horizon minute",
      "delete minute 0",
      "horizon hour",
      "delete hour 0",
    ]);
  });

  test("of less than two days does not wait for the end of a day", async () => {
    const { options, asked } = fakeStorage(0, 47 * HOUR_MS);
    await keepStorage(options, new AbortController().signal);
    expect(asked).toContain("horizon raw");
  });

  test.each([
    [0, [0]],
    [7, [7]],
    [25, [10, 10, 5]],
    [20, [10, 10, 0]],
  ])("of %d old samples deletes them batch by batch", async (old, expected) => {
    const { options, asked, lines } = fakeStorage(old);
    await keepStorage(options, new AbortController().signal);
    expect(asked.filter((line) => line.startsWith("delete raw"))).toEqual(
      expected.map((n) => `delete raw ${n}`),
    );
    expect(lines).toEqual(old === 0 ? [] : [{ deleted: old, kept: "raw" }]);
  });

  test("ends between two batches when it is stopped", async () => {
    const { options, asked } = fakeStorage(100);
    const stop = new AbortController();
    const { deleteBefore } = options.storage;
    options.storage.deleteBefore = (...given) => {
      if (asked.includes("delete raw 10")) stop.abort();
      return deleteBefore(...given);
    };
    await keepStorage(options, stop.signal);
    expect(asked.filter((line) => line.startsWith("delete"))).toEqual(["delete raw 10", "delete raw 10"]);
  });
});
