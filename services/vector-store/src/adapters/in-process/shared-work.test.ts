import { expect, test } from "@jest/globals";
import { SharedWork } from "./shared-work.ts";

test("callers at the same time share one piece of work; a later one begins anew", async () => {
  const shared = new SharedWork<number>();
  const done = Promise.withResolvers<number>();
  let started = 0;
  const start = (): Promise<number> => {
    started++;
    return done.promise;
  };
  const both = Promise.all([shared.join("a", undefined, start), shared.join("a", undefined, start)]);
  done.resolve(7);
  expect(await both).toEqual([7, 7]);
  expect(started).toBe(1);
  await shared.join("a", undefined, start);
  expect(started).toBe(2);
});

test("who leaves leaves alone; the work ends with the last one, and nobody joins it then", async () => {
  const shared = new SharedWork<string>();
  const signals: AbortSignal[] = [];
  const start = (signal: AbortSignal): Promise<string> => {
    signals.push(signal);
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const one = shared.join("a", first.signal, start);
  const two = shared.join("a", second.signal, start);
  first.abort(new Error("the first is gone"));
  await expect(one).rejects.toThrow("the first is gone");
  expect(signals[0]?.aborted).toBe(false);
  second.abort(new Error("the second too"));
  await expect(two).rejects.toThrow("the second too");
  expect(signals[0]?.aborted).toBe(true);
  const third = shared.join("a", undefined, () => Promise.resolve("anew"));
  expect(await third).toBe("anew");
});

test("a failure reaches everybody, and is not remembered", async () => {
  const shared = new SharedWork<number>();
  const failing = (): Promise<number> => Promise.reject(new Error("no"));
  const both = [shared.join("a", undefined, failing), shared.join("a", undefined, failing)];
  for (const call of both) await expect(call).rejects.toThrow("no");
  expect(await shared.join("a", undefined, () => Promise.resolve(1))).toBe(1);
});
