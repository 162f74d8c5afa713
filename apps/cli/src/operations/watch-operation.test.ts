import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createClient } from "@connectrpc/connect";
import { OperationService } from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { BUILD, BUILT, type OperationInit } from "../../test/operations-fixture.ts";
import { stateOf } from "./describe-operation.ts";
import { watchOperation, type WatchDeps } from "./watch-operation.ts";

type Update = OperationInit | KindredError | "wait";

let stop: AbortController;
let said: string[];
beforeEach(() => {
  stop = new AbortController();
  said = [];
});
afterEach(() => stop.abort(new Error("over")));

/** A service each of whose streams gives what is listed; the time of the watcher goes by only as it sleeps. */
function depsOf(streams: Update[][]): WatchDeps & { calls: () => number } {
  let now = 0;
  let calls = 0;
  const transport = createInMemoryTransport((router) => {
    router.service(OperationService, {
      async *watchOperation(_request, { signal }) {
        for (const update of streams[calls++] ?? []) {
          if (update === "wait") await new Promise((resolve) => signal.addEventListener("abort", resolve));
          else if (update instanceof KindredError) throw update;
          else yield { operation: update };
        }
      },
    });
  });
  const client = createClient(OperationService, transport);
  return {
    operations: { watch: (id, options) => client.watchOperation({ id }, options) },
    sleep: async (ms) => void (now += ms),
    now: () => now,
    onWaiting: (reason) => said.push(`waiting: ${reason}`),
    onResumed: () => said.push("resumed"),
    calls: () => calls,
  };
}

async function watched(deps: WatchDeps, patienceMs = 60_000): Promise<string[]> {
  const seen: string[] = [];
  for await (const operation of watchOperation(17n, deps, { patienceMs, signal: stop.signal }))
    seen.push(`${operation.phase}, ${stateOf(operation)}`);
  return seen;
}

const away = new KindredError("unavailable", "the service is restarted");

test("every change until the end", async () => {
  const deps = depsOf([[{ ...BUILD, phase: "preflight" }, BUILD, BUILT]]);
  expect(await watched(deps)).toEqual([
    "preflight, running",
    "build: loading tuples, running",
    "validate, done",
  ]);
  expect(said).toEqual([]);
});

describe("a stream that breaks is opened again", () => {
  test("after an error that passes, and says so once", async () => {
    const deps = depsOf([[BUILD, away], [away], [away], [BUILD, BUILT]]);
    expect(await watched(deps)).toEqual([
      "build: loading tuples, running",
      "build: loading tuples, running",
      "validate, done",
    ]);
    expect(deps.calls()).toBe(4);
    expect(said).toEqual(["waiting: the service is restarted", "resumed"]);
  });

  test("when it ends before the operation does", async () => {
    expect(await watched(depsOf([[BUILD], [], [BUILT]]))).toEqual([
      "build: loading tuples, running",
      "validate, done",
    ]);
    expect(said).toEqual(["waiting: the stream ended before the operation did", "resumed"]);
  });

  test("but not one that breaks behind the operation's end", async () => {
    const deps = depsOf([[BUILT, away]]);
    expect(await watched(deps)).toEqual(["validate, done"]);
    expect(deps.calls()).toBe(1);
  });

  test("until patience is over", async () => {
    const deps = depsOf(Array.from({ length: 100 }, () => [away]));
    await expect(watched(deps, 10_000)).rejects.toMatchObject({ kind: "unavailable" });
    expect(deps.calls()).toBeGreaterThan(2);
    expect(deps.calls()).toBeLessThan(100);
  });
});

test("an error that does not pass ends it", async () => {
  const deps = depsOf([[new KindredError("not-found", "there is no operation 17")]]);
  await expect(watched(deps)).rejects.toMatchObject({ kind: "not-found" });
  expect(deps.calls()).toBe(1);
});

test("the signal ends it with its reason", async () => {
  const deps = depsOf([[BUILD, "wait"]]);
  const updates = watchOperation(17n, deps, { patienceMs: 1_000, signal: stop.signal });
  expect((await updates.next()).value).toMatchObject({ id: 17n });
  const next = updates.next();
  stop.abort(new Error("stopped by SIGINT"));
  await expect(next).rejects.toThrow("stopped by SIGINT");
  expect(deps.calls()).toBe(1);
});
