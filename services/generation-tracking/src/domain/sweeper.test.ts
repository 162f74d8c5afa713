import { expect, test } from "@jest/globals";
import { Sweeper } from "./sweeper.ts";

test("sweeps again and again, also after a sweep that failed, which it logs", async () => {
  const logged: { fields: object; message: string }[] = [];
  const third = Promise.withResolvers<void>();
  const failure = new Error("the database is away");
  let sweeps = 0;
  {
    await using stack = new AsyncDisposableStack();
    stack.use(
      new Sweeper({
        what: "things",
        everyMs: 1,
        sweep: async () => {
          sweeps += 1;
          if (sweeps === 2) throw failure;
          if (sweeps === 3) third.resolve();
        },
        log: { warn: (fields, message) => logged.push({ fields, message }) },
      }),
    );
    await third.promise;
  }
  expect(logged).toEqual([
    { fields: { err: failure }, message: "things could not be swept; trying again later" },
  ]);
  const atTheEnd = sweeps;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(sweeps).toBe(atTheEnd);
});

test("disposing of it ends the sweep that runs, and waits for it; no two run at a time", async () => {
  let running = 0;
  let ended = false;
  const begun = Promise.withResolvers<void>();
  const sweeper = new Sweeper({
    what: "things",
    everyMs: 1,
    sweep: async (signal) => {
      running += 1;
      expect(running).toBe(1);
      begun.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      ended = true;
    },
    log: { warn: () => {} },
  });
  await begun.promise;
  await sweeper[Symbol.asyncDispose]();
  expect(ended).toBe(true);
});
