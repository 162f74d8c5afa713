import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { openWorker, stepping, type Worker } from "./operation-workers.ts";
import { aborted, handler, openOperations, type Operations } from "./operations-fixture.ts";

const closing = new AsyncDisposableStack();
let url: string;
let idle: Worker;
let operations: Operations;

beforeAll(async () => {
  operations = closing.use(await openOperations());
  ({ url, idle } = operations);
}, 120_000);
afterAll(() => closing.disposeAsync());

describe("an operation that is interrupted", () => {
  test("by a kill of its process is gone on with by another one", async () => {
    if (!idle.db.capabilities.concurrentSessions) {
      process.stdout.write("not run: a process of its own needs a session of its own\n");
      return;
    }
    const script = fileURLToPath(new URL("operation-process.ts", import.meta.url));
    const child = spawn(process.execPath, [script, url], { stdio: ["ignore", "inherit", "inherit"] });
    try {
      const operation = await operations.start({ spec: { steps: 8, ms: 400 } });
      await operations.until(operation, ({ checkpoint }) => Number(checkpoint["done"] ?? 0) >= 2);
      child.kill("SIGKILL");
      const killed = await idle.store.get(operation.id, {});
      expect(killed).toMatchObject({ state: "running", attempts: 1 });
      await using running = new AsyncDisposableStack();
      running.use(await openWorker(url, [stepping("index-drop", () => idle.db)]));
      const last = await operations.ended(operation);
      expect(last).toMatchObject({ state: "succeeded", attempts: 2, checkpoint: { done: 8 } });
      const begun = await operations.stepsOf(operation);
      expect(begun.length).toBeLessThanOrEqual(9);
      expect(new Set(begun).size).toBe(8);
    } finally {
      child.kill("SIGKILL");
    }
  }, 120_000);

  test("by an orderly end of its process goes on elsewhere at once", async () => {
    const first = await openWorker(url, [stepping("index-drop", () => idle.db)], {
      times: { lease: 3_600_000 },
    });
    const operation = await operations.start({ spec: { steps: 6, ms: 50 } });
    await operations.until(operation, ({ checkpoint }) => Number(checkpoint["done"] ?? 0) >= 1);
    await first[Symbol.asyncDispose]();
    expect(await idle.store.get(operation.id, {})).toMatchObject({
      state: "queued",
      attempts: 1,
      rate: undefined,
    });
    // A lease of an hour would be waited for, if it had not been given back.
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [stepping("index-drop", () => idle.db)]));
    expect(await operations.ended(operation)).toMatchObject({ state: "succeeded", attempts: 2 });
  }, 120_000);

  test("by the end of all sessions of the service goes on in the same process", async () => {
    if (!idle.db.capabilities.concurrentSessions) {
      process.stdout.write("not run: there is one session for everybody\n");
      return;
    }
    await using worker = await openWorker(url, [stepping("index-drop", () => worker.db)], {
      name: "terminated",
    });
    const operation = await operations.start({ spec: { steps: 10, ms: 100 } });
    for (const least of [1, 4]) {
      await operations.until(operation, ({ checkpoint }) => Number(checkpoint["done"] ?? 0) >= least);
      await idle.db.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'terminated'",
      );
    }
    expect(await operations.ended(operation)).toMatchObject({ state: "succeeded", attempts: 1, notes: [] });
    expect(new Set(await operations.stepsOf(operation)).size).toBe(10);
  }, 120_000);

  test("by nothing but its own work, for which all wait where there is one session, is not lost over it", async () => {
    const busy = handler(async ({ signal }) => {
      await worker.db.query("SELECT count(*) FROM generate_series(1, 3000000)");
      signal.throwIfAborted();
      return {};
    });
    // Too short for the query, where that matters.
    const lease = idle.db.capabilities.concurrentSessions ? 60_000 : 100;
    await using worker = await openWorker(url, [busy], { times: { lease, renewEvery: 20, lookEvery: 20 } });
    const operation = await operations.start();
    expect(await operations.ended(operation)).toMatchObject({ state: "succeeded", attempts: 1 });
  }, 120_000);

  test("by trouble that passes is tried again, but not for ever", async () => {
    let runs = 0;
    const away = new KindredError("unavailable", "the embedding service is away");
    const unlucky = handler(async ({ operation, checkpoint }) => {
      runs++;
      // Twice it gets further, which lets it begin to count anew.
      if (runs <= 2) await checkpoint({ runs });
      if (operation.spec["passes"] && runs === 5) return { runs };
      throw away;
    });
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [unlucky], { times: { backoff: 5 } }));
    expect(await operations.ended(await operations.start({ spec: { passes: true } }))).toMatchObject({
      state: "succeeded",
      result: { runs: 5 },
    });
    runs = 0;
    expect(await operations.ended(await operations.start())).toMatchObject({
      state: "failed",
      failure: { kind: "unavailable", message: "the embedding service is away" },
      checkpoint: { runs: 2 },
    });
    expect(runs).toBe(6);
    expect(unlucky.cleaned).toHaveLength(1);
  }, 30_000);

  test("by one kill after the other is given up, and what it made removed", async () => {
    const deadly = handler(aborted);
    const operation = await operations.start();
    await idle.db.query(
      "UPDATE operations SET state = 'running', owner = 'the dead', lease_until = now(), setbacks = 4, attempts = 5 WHERE id = $1",
      [String(operation.id)],
    );
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [deadly]));
    expect(await operations.ended(operation)).toMatchObject({
      state: "failed",
      attempts: 6,
      failure: { kind: "aborted", message: "it was interrupted 5 times in a row without getting further" },
    });
    expect(deadly.cleaned).toHaveLength(1);
  });
});

test("who has lost the lease writes nothing, and is told", async () => {
  const lost = Promise.withResolvers<unknown>();
  const robbed = handler(async (context) => {
    const { operation, signal, checkpoint, report } = context;
    await checkpoint({ mine: 1 });
    await idle.db.query(
      "UPDATE operations SET owner = 'somebody else', lease_until = now() + interval '1 hour' WHERE id = $1",
      [String(operation.id)],
    );
    report({ phase: "mine", phaseNumber: 1, phaseCount: 1, done: 1, total: 1, unit: "rows" });
    const error = await checkpoint({ mine: 2 }).catch((thrown: unknown) => thrown);
    lost.resolve([error, signal.reason]);
    return { mine: 3 };
  });
  await using worker = await openWorker(url, [robbed]);
  const operation = await operations.start();
  expect(await lost.promise).toMatchObject([{ kind: "aborted" }, { kind: "aborted" }]);
  await worker[Symbol.asyncDispose]();
  expect(await idle.store.get(operation.id, {})).toMatchObject({
    state: "running",
    checkpoint: { mine: 1 },
    result: undefined,
  });
  expect(robbed.cleaned).toEqual([]);
  await idle.db.query("UPDATE operations SET state = 'failed', finished_at = now() WHERE id = $1", [
    String(operation.id),
  ]);
});
