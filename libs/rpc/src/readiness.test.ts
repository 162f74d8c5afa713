import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { followReadiness } from "./readiness.ts";

let open = new DisposableStack();
afterEach(() => {
  open.dispose();
  open = new DisposableStack();
});

/** Follows a probe whose outcomes are given, the last of them for ever. */
function follow(outcomes: (Error | undefined)[]) {
  const health: boolean[] = [];
  const log: string[] = [];
  let probes = 0;
  const exhausted = Promise.withResolvers<void>();
  const readiness = open.use(
    followReadiness({
      server: { setServing: (serving) => health.push(serving) },
      probe: async () => {
        const outcome = outcomes[Math.min(probes, outcomes.length - 1)];
        probes += 1;
        // One more, so that the last outcome has been acted upon.
        if (probes > outcomes.length) exhausted.resolve();
        if (outcome) throw outcome;
      },
      everyMs: 2,
      logger: {
        info: () => log.push("info"),
        warn: () => log.push("warn"),
      } as unknown as Logger,
    }),
  );
  return { health, log, readiness, exhausted: exhausted.promise, probes: () => probes };
}

const AWAY = new KindredError("unavailable", "the database cannot be reached");

test("health follows what the service needs, with one line for each change", async () => {
  const { health, log, exhausted } = follow([undefined, AWAY, AWAY, AWAY, undefined, undefined, AWAY]);
  await exhausted;
  expect(health).toEqual([true, false, true, false]);
  expect(log).toEqual(["warn", "info", "warn"]);
});

test("errors that say nothing about reaching it change nothing", async () => {
  const { health, exhausted } = follow([
    new KindredError("resource-exhausted", "no connection became free in time"),
    new KindredError("deadline-exceeded", "slow"),
    new Error("a fault of the probe"),
  ]);
  await exhausted;
  expect(health).toEqual([true]);
});

test("after its disposal nothing is probed and health is left alone", async () => {
  const { health, readiness, probes } = follow([AWAY]);
  readiness[Symbol.dispose]();
  const probesThen = probes();
  await sleep(20);
  expect(probes()).toBe(probesThen);
  expect(health).toEqual([true]);
});
