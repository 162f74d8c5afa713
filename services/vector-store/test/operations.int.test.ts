import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { errorOf } from "@kindred/testing";
import type { Operation, OperationHandler, OperationKind } from "../src/domain/operations/operation.ts";
import { openWorker, stepping, type Worker } from "./operation-workers.ts";
import { aborted, COLLECTIONS, handler, openOperations, type Operations } from "./operations-fixture.ts";

const closing = new AsyncDisposableStack();
let url: string;
let idle: Worker;
let operations: Operations;

beforeAll(async () => {
  operations = closing.use(await openOperations());
  ({ url, idle } = operations);
}, 120_000);
afterAll(() => closing.disposeAsync());

describe("an operation that is asked for", () => {
  test("is queued, and given back to whoever asks again with its request id", async () => {
    const requestId = "é-1";
    const operation = await operations.start({
      requestId,
      spec: { big: 12345678901234567890n as never, text: "\0 and \ud800" },
    });
    expect(operation).toMatchObject({
      kind: "index-drop",
      subject: "images",
      state: "queued",
      attempts: 0,
      automatic: false,
      spec: { big: "12345678901234567890", text: "\uFFFD and \uFFFD" },
      checkpoint: {},
      notes: [],
      rate: undefined,
      remainingMs: undefined,
      startedAt: undefined,
      finishedAt: undefined,
    });
    expect(await operations.start({ requestId })).toEqual(operation);
    const other = await errorOf(operations.start({ requestId, subject: "c0" }));
    expect(other.kind).toBe("already-exists");
    expect(other.message).toContain(
      `is that of operation ${operation.id} (index drop) of the collection "images"`,
    );
    await idle.store.cancel(operation.id, {});
    expect((await operations.start({ requestId })).state).toBe("cancelled");
  });

  test("needs a collection, and that no other one changes it", async () => {
    expect(await errorOf(operations.start({ subject: "nothing" }))).toMatchObject({
      kind: "not-found",
      message: 'there is no collection "nothing"',
    });
    const operation = await operations.start();
    const busy = await errorOf(operations.start({ kind: "reembedding" }));
    expect(busy).toMatchObject({ kind: "aborted", metadata: { operation_id: String(operation.id) } });
    expect(busy.message).toBe(
      `operation ${operation.id} (index drop) of the collection "images" is queued: wait for it, or cancel it`,
    );
    expect(busy.retryAfterMs).toBeGreaterThan(0);
    const tuning = await operations.start({ kind: "recall-tuning" });
    expect((await errorOf(operations.start({ kind: "recall-tuning" }))).message).toContain(
      `operation ${tuning.id} (recall tuning)`,
    );
    for (const { id } of [operation, tuning]) await idle.store.cancel(id, {});
    await idle.store.cancel((await operations.start()).id, {});
  });

  test("at the same time, many times with one id, is one", async () => {
    const many = await Promise.all(
      Array.from({ length: 8 }, () => operations.start({ requestId: "all-at-once" })),
    );
    expect(new Set(many.map(({ id }) => id)).size).toBe(1);
    const others = await Promise.allSettled(
      Array.from({ length: 8 }, () => operations.start({ subject: "c0" })),
    );
    expect(others.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const { id } of await idle.store.list(
      { subject: undefined, active: true, beforeId: undefined, limit: 9 },
      {},
    ))
      await idle.store.cancel(id, {});
  });

  test("ends at once when it is cancelled before anybody has begun it", async () => {
    const operation = await operations.start();
    expect(await idle.store.cancel(operation.id, {})).toMatchObject({ state: "cancelled", attempts: 0 });
    expect(await errorOf(idle.store.cancel(operation.id, {}))).toMatchObject({
      kind: "failed-precondition",
      message: `operation ${operation.id} (index drop) was cancelled: there is nothing to cancel`,
    });
    expect((await errorOf(idle.store.cancel(10n ** 15n, {}))).kind).toBe("not-found");
    expect((await errorOf(idle.store.get(10n ** 15n, {}))).kind).toBe("not-found");
  });
});

test("several processes do each operation one at a time, each step of it, while they come and go", async () => {
  const active = new Map<bigint, number>();
  const overlaps: bigint[] = [];
  /** What runs is counted from outside of the runner. */
  const counted = (inner: OperationHandler): OperationHandler => ({
    ...inner,
    async run(context) {
      const { id } = context.operation;
      active.set(id, (active.get(id) ?? 0) + 1);
      if ((active.get(id) ?? 0) > 1) overlaps.push(id);
      try {
        return await inner.run(context);
      } finally {
        active.set(id, (active.get(id) ?? 0) - 1);
      }
    },
  });
  const open = () => openWorker(url, [counted(stepping("index-drop", () => idle.db))]);
  const workers = [await open(), await open()];
  const asked: Operation[] = [];
  for (const collection of COLLECTIONS)
    asked.push(await operations.start({ subject: collection, spec: { steps: 10, ms: 20 } }));
  for (let i = 0; i < 3; i++) {
    await delay(100);
    workers.push(await open());
    await workers.shift()?.[Symbol.asyncDispose]();
  }
  for (const operation of asked) {
    const last = await operations.ended(operation);
    expect(last).toMatchObject({ state: "succeeded", result: { steps: 10 }, checkpoint: { done: 10 } });
    expect(last.progress).toEqual({
      phase: "stepping",
      phaseNumber: 1,
      phaseCount: 1,
      done: 10,
      total: 10,
      unit: "steps",
    });
    // A step whose checkpoint was cut off may be taken twice.
    expect(new Set(await operations.stepsOf(operation))).toEqual(
      new Set(Array.from({ length: 10 }, (_, step) => step)),
    );
  }
  expect(overlaps).toEqual([]);
  for (const worker of workers) await worker[Symbol.asyncDispose]();
}, 120_000);

test("of index builds, one goes on at a time in all processes together", async () => {
  const builds = { most: 0, now: 0 };
  const build = (kind: OperationKind) =>
    handler(async () => {
      builds.now++;
      builds.most = Math.max(builds.most, builds.now);
      await delay(30);
      builds.now--;
      return {};
    }, kind);
  await using running = new AsyncDisposableStack();
  running.use(await openWorker(url, [build("index-build"), build("index-rebuild")]));
  running.use(await openWorker(url, [build("index-build"), build("index-rebuild")]));
  const asked = await Promise.all(
    COLLECTIONS.map((collection, i) =>
      operations.start({ subject: collection, kind: i % 2 ? "index-build" : "index-rebuild" }),
    ),
  );
  for (const operation of asked) expect((await operations.ended(operation)).state).toBe("succeeded");
  expect(builds.most).toBe(1);
}, 120_000);

describe("an operation that fails", () => {
  test("tells why, if that is for others to know", async () => {
    const failing = handler(async ({ operation }) => {
      if (operation.spec["known"])
        throw new KindredError("failed-precondition", "lists \0 must be fewer than rows");
      throw new TypeError("secret");
    });
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [failing]));
    expect((await operations.ended(await operations.start({ spec: { known: true } }))).failure).toEqual({
      kind: "failed-precondition",
      message: "lists \uFFFD must be fewer than rows",
    });
    expect((await operations.ended(await operations.start())).failure).toEqual({
      kind: "internal",
      message: "internal error",
    });
    expect(failing.cleaned).toEqual([{ stopped: false }, { stopped: false }]);
  });
});

describe("an operation that is cancelled", () => {
  test("ends when its handler has, and has cleaned up", async () => {
    let reason: unknown;
    const waiting = handler(async (context) => {
      context.signal.addEventListener("abort", () => (reason = context.signal.reason));
      return await aborted(context);
    });
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [waiting]));
    const operation = await operations.start();
    await operations.until(operation, ({ state }) => state === "running");
    expect((await idle.store.cancel(operation.id, {})).state).toBe("cancelling");
    expect(await operations.ended(operation)).toMatchObject({
      state: "cancelled",
      result: undefined,
      failure: undefined,
    });
    expect(reason).toMatchObject({ kind: "cancelled" });
    expect(waiting.cleaned).toEqual([{ stopped: false }]);
  });

  test("after its process was killed is cleaned up by another one", async () => {
    const operation = await operations.start({ spec: { steps: 2, ms: 1 } });
    await idle.db.query(
      "UPDATE operations SET state = 'running', owner = 'the dead', lease_until = now(), attempts = 1 WHERE id = $1",
      [String(operation.id)],
    );
    await idle.db.query("INSERT INTO steps_done VALUES ($1, 0)", [String(operation.id)]);
    await idle.store.cancel(operation.id, {});
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [stepping("index-drop", () => idle.db)]));
    expect(await operations.ended(operation)).toMatchObject({ state: "cancelled", attempts: 2 });
    expect(await operations.stepsOf(operation)).toEqual([]);
  });

  test("because its collection is gone says so", async () => {
    const looking = handler(async (context) => {
      if (context.operation.spec["notices"]) {
        await idle.db.query("DELETE FROM collections WHERE name = 'c7'");
        throw new KindredError("not-found", 'there is no collection "c7"');
      }
      return await aborted(context);
    });
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [looking]));
    const told = await operations.start({ subject: "c6" });
    await operations.until(told, ({ state }) => state === "running");
    await idle.store.cancelAll("c6", "its collection was deleted", {});
    const noticed = await operations.start({ subject: "c7", spec: { notices: true } });
    for (const operation of [told, noticed]) {
      expect(await operations.ended(operation)).toMatchObject({
        state: "cancelled",
        notes: ["its collection was deleted"],
      });
    }
  });
});

describe("who watches", () => {
  test("sees the phases in their order, how fast it goes, and the end", async () => {
    const proceed = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const phased = handler(async ({ report, note }) => {
      for (const [i, phase] of ["count", "load"].entries()) {
        report({ phase, phaseNumber: i + 1, phaseCount: 2, done: 0, total: 100, unit: "rows" });
        await delay(100);
        report({ phase, phaseNumber: i + 1, phaseCount: 2, done: 25.4, total: 100, unit: "rows" });
        note(`${phase} goes well`);
        note(`${phase} goes well`);
        await proceed[i]?.promise;
      }
      return { rows: 100 };
    });
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [phased]));
    const operation = await operations.start();
    const seen: Operation[] = [];
    for await (const state of idle.store.watch(operation.id, {})) {
      seen.push(state);
      const { phaseNumber, done } = state.progress;
      if (done > 0) proceed[phaseNumber - 1]?.resolve();
    }
    const measured = seen.filter(({ progress, state }) => progress.done === 25 && state === "running");
    expect([...new Set(measured.map(({ progress }) => progress.phase))]).toEqual(["count", "load"]);
    for (const { rate, remainingMs } of measured) {
      expect(rate).toBeGreaterThan(0);
      expect(remainingMs).toBeCloseTo((75 / (rate as number)) * 1000, 3);
    }
    expect(seen.at(-1)).toMatchObject({ state: "succeeded", rate: undefined, remainingMs: undefined });
    expect(seen.at(-1)?.notes).toEqual(["count goes well", "load goes well"]);
    expect(seen.slice(0, -1).filter(({ finishedAt }) => finishedAt)).toEqual([]);
  });

  test("is let go when it is enough, and when the service ends", async () => {
    const operation = await operations.start();
    const enough = new AbortController();
    const watched: Operation[] = [];
    for await (const state of idle.store.watch(operation.id, { signal: enough.signal })) {
      watched.push(state);
      enough.abort();
    }
    expect(watched).toHaveLength(1);
    await using other = await openWorker(url, []);
    const drained = errorOf(Array.fromAsync(other.store.watch(operation.id, {})));
    other.store.endWatches();
    expect((await drained).kind).toBe("unavailable");
    expect((await errorOf(Array.fromAsync(idle.store.watch(10n ** 15n, {})))).kind).toBe("not-found");
    await idle.store.cancel(operation.id, {});
  });
});

test("a process whose sessions cannot listen, behind a pooler for example, looks by itself", async () => {
  const pooled = new URL(url);
  // Options of somebody's own are taken for a pooler's, where sessions are not this process's own.
  pooled.searchParams.set("options", "-c DateStyle=ISO");
  await using worker = await openWorker(pooled.href, [stepping("index-drop", () => idle.db)]);
  expect(worker.db.capabilities.preparedStatements).toBe(false);
  const operation = await operations.start();
  const seen = await Array.fromAsync(worker.store.watch(operation.id, {}));
  expect(seen[0]?.state).not.toBe("succeeded");
  expect(seen.at(-1)).toMatchObject({ state: "succeeded", attempts: 1 });
});
