import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { migrate } from "@kindred/postgres";
import { testDatabase } from "@kindred/testing";
import { migrations } from "../src/adapters/postgres/migrations.ts";
import { prepareVector } from "../src/adapters/postgres/require-vector.ts";
import type {
  NewOperation,
  Operation,
  OperationContext,
  OperationHandler,
  OperationKind,
} from "../src/domain/operations/operation.ts";
import { errorOf } from "./error-of.ts";
import { openWorker, stepping, type Worker } from "./operation-workers.ts";

const COLLECTIONS = ["images", ...Array.from({ length: 8 }, (_, i) => `c${i}`)];

const closing = new AsyncDisposableStack();
let url: string;
/** Does nothing by itself. */
let idle: Worker;

beforeAll(async () => {
  ({ url } = closing.use(await testDatabase()));
  idle = closing.use(await openWorker(url, []));
  await prepareVector(idle.db);
  await migrate(idle.db, { migrations });
  await idle.db.query("CREATE TABLE steps_done (operation BIGINT NOT NULL, step INTEGER NOT NULL)");
  for (const name of COLLECTIONS.slice(1)) {
    await idle.db.query(
      `INSERT INTO collections (kind, name, dimensions, element_type, metric, recall_target, index_kind)
       VALUES ('managed', $1, 3, 'vector', 'cosine', 0.95, 'none')`,
      [name],
    );
  }
}, 120_000);
afterAll(() => closing.disposeAsync());

const asked = (changes: Partial<NewOperation> = {}): NewOperation => ({
  kind: "index-drop",
  collection: "images",
  spec: { steps: 3, ms: 5 },
  automatic: false,
  requestId: undefined,
  ...changes,
});

const start = (changes: Partial<NewOperation> = {}): Promise<Operation> =>
  idle.store.start(asked(changes), {});

async function ended({ id }: Operation): Promise<Operation> {
  let last: Operation | undefined;
  for await (const operation of idle.store.watch(id, {})) last = operation;
  return last as Operation;
}

/** Waits until it is as it should be; the test's own limit is the only one. */
async function until({ id }: Operation, check: (operation: Operation) => boolean): Promise<Operation> {
  for (;;) {
    const operation = await idle.store.get(id, {});
    if (check(operation)) return operation;
    await delay(20);
  }
}

async function stepsOf({ id }: Operation): Promise<number[]> {
  const { rows } = await idle.db.query<{ step: number }>(
    "SELECT step FROM steps_done WHERE operation = $1 ORDER BY step",
    [String(id)],
  );
  return rows.map(({ step }) => step);
}

/** One whose work is this; what it is given can be looked at. */
function handler(
  run: (context: OperationContext) => Promise<Operation["spec"]>,
  kind: OperationKind = "index-drop",
): OperationHandler & { cleaned: { stopped: boolean }[] } {
  const cleaned: { stopped: boolean }[] = [];
  return {
    kind,
    run,
    cleaned,
    cleanUp: async ({ signal }) => void cleaned.push({ stopped: signal.aborted }),
  };
}

/** Until the signal is aborted. */
async function aborted({ signal }: OperationContext): Promise<never> {
  await delay(2 ** 30, undefined, { signal }).catch(() => undefined);
  throw signal.reason;
}

describe("an operation that is asked for", () => {
  test("is queued, and given back to whoever asks again with its request id", async () => {
    const requestId = "é-1";
    const operation = await start({
      requestId,
      spec: { big: 12345678901234567890n as never, text: "\0 and \ud800" },
    });
    expect(operation).toMatchObject({
      kind: "index-drop",
      collection: "images",
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
    expect(await start({ requestId })).toEqual(operation);
    const other = await errorOf(start({ requestId, collection: "c0" }));
    expect(other.kind).toBe("already-exists");
    expect(other.message).toContain(
      `is that of operation ${operation.id} (index drop) of the collection "images"`,
    );
    await idle.store.cancel(operation.id, {});
    expect((await start({ requestId })).state).toBe("cancelled");
  });

  test("needs a collection, and that no other one changes it", async () => {
    expect(await errorOf(start({ collection: "nothing" }))).toMatchObject({
      kind: "not-found",
      message: 'there is no collection "nothing"',
    });
    const operation = await start();
    const busy = await errorOf(start({ kind: "reembedding" }));
    expect(busy).toMatchObject({ kind: "aborted", metadata: { operation_id: String(operation.id) } });
    expect(busy.message).toBe(
      `operation ${operation.id} (index drop) of the collection "images" is queued: wait for it, or cancel it`,
    );
    expect(busy.retryAfterMs).toBeGreaterThan(0);
    const tuning = await start({ kind: "recall-tuning" });
    expect((await errorOf(start({ kind: "recall-tuning" }))).message).toContain(
      `operation ${tuning.id} (recall tuning)`,
    );
    for (const { id } of [operation, tuning]) await idle.store.cancel(id, {});
    await idle.store.cancel((await start()).id, {});
  });

  test("at the same time, many times with one id, is one", async () => {
    const many = await Promise.all(Array.from({ length: 8 }, () => start({ requestId: "all-at-once" })));
    expect(new Set(many.map(({ id }) => id)).size).toBe(1);
    const others = await Promise.allSettled(Array.from({ length: 8 }, () => start({ collection: "c0" })));
    expect(others.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const { id } of await idle.store.list(
      { collection: undefined, active: true, beforeId: undefined, limit: 9 },
      {},
    ))
      await idle.store.cancel(id, {});
  });

  test("ends at once when it is cancelled before anybody has begun it", async () => {
    const operation = await start();
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
  const operations: Operation[] = [];
  for (const collection of COLLECTIONS)
    operations.push(await start({ collection, spec: { steps: 10, ms: 20 } }));
  for (let i = 0; i < 3; i++) {
    await delay(100);
    workers.push(await open());
    await workers.shift()?.[Symbol.asyncDispose]();
  }
  for (const operation of operations) {
    const last = await ended(operation);
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
    expect(new Set(await stepsOf(operation))).toEqual(new Set(Array.from({ length: 10 }, (_, step) => step)));
  }
  expect(overlaps).toEqual([]);
  for (const worker of workers) await worker[Symbol.asyncDispose]();
}, 60_000);

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
  const operations = await Promise.all(
    COLLECTIONS.map((collection, i) => start({ collection, kind: i % 2 ? "index-build" : "index-rebuild" })),
  );
  for (const operation of operations) expect((await ended(operation)).state).toBe("succeeded");
  expect(builds.most).toBe(1);
}, 60_000);

describe("an operation that is interrupted", () => {
  test("by a kill of its process is gone on with by another one", async () => {
    if (!idle.db.capabilities.concurrentSessions) {
      process.stdout.write("not run: a process of its own needs a session of its own\n");
      return;
    }
    const script = fileURLToPath(new URL("operation-process.ts", import.meta.url));
    const child = spawn(process.execPath, [script, url], { stdio: ["ignore", "inherit", "inherit"] });
    try {
      const operation = await start({ spec: { steps: 8, ms: 400 } });
      await until(operation, ({ checkpoint }) => Number(checkpoint["done"] ?? 0) >= 2);
      child.kill("SIGKILL");
      const killed = await idle.store.get(operation.id, {});
      expect(killed).toMatchObject({ state: "running", attempts: 1 });
      await using running = new AsyncDisposableStack();
      running.use(await openWorker(url, [stepping("index-drop", () => idle.db)]));
      const last = await ended(operation);
      expect(last).toMatchObject({ state: "succeeded", attempts: 2, checkpoint: { done: 8 } });
      const begun = await stepsOf(operation);
      expect(begun.length).toBeLessThanOrEqual(9);
      expect(new Set(begun).size).toBe(8);
    } finally {
      child.kill("SIGKILL");
    }
  }, 60_000);

  test("by an orderly end of its process goes on elsewhere at once", async () => {
    const first = await openWorker(url, [stepping("index-drop", () => idle.db)], {
      times: { lease: 3_600_000 },
    });
    const operation = await start({ spec: { steps: 6, ms: 50 } });
    await until(operation, ({ checkpoint }) => Number(checkpoint["done"] ?? 0) >= 1);
    await first[Symbol.asyncDispose]();
    expect(await idle.store.get(operation.id, {})).toMatchObject({
      state: "queued",
      attempts: 1,
      rate: undefined,
    });
    // A lease of an hour would be waited for, if it had not been given back.
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [stepping("index-drop", () => idle.db)]));
    expect(await ended(operation)).toMatchObject({ state: "succeeded", attempts: 2 });
  }, 60_000);

  test("by the end of all sessions of the service goes on in the same process", async () => {
    if (!idle.db.capabilities.concurrentSessions) {
      process.stdout.write("not run: there is one session for everybody\n");
      return;
    }
    await using worker = await openWorker(url, [stepping("index-drop", () => worker.db)], {
      name: "terminated",
    });
    const operation = await start({ spec: { steps: 10, ms: 100 } });
    for (const least of [1, 4]) {
      await until(operation, ({ checkpoint }) => Number(checkpoint["done"] ?? 0) >= least);
      await idle.db.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'terminated'",
      );
    }
    expect(await ended(operation)).toMatchObject({ state: "succeeded", attempts: 1, notes: [] });
    expect(new Set(await stepsOf(operation)).size).toBe(10);
  }, 60_000);

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
    expect(await ended(await start({ spec: { passes: true } }))).toMatchObject({
      state: "succeeded",
      result: { runs: 5 },
    });
    runs = 0;
    expect(await ended(await start())).toMatchObject({
      state: "failed",
      failure: { kind: "unavailable", message: "the embedding service is away" },
      checkpoint: { runs: 2 },
    });
    expect(runs).toBe(6);
    expect(unlucky.cleaned).toHaveLength(1);
  }, 30_000);

  test("by one kill after the other is given up, and what it made removed", async () => {
    const deadly = handler(aborted);
    const operation = await start();
    await idle.db.query(
      "UPDATE operations SET state = 'running', owner = 'the dead', lease_until = now(), setbacks = 4, attempts = 5 WHERE id = $1",
      [String(operation.id)],
    );
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [deadly]));
    expect(await ended(operation)).toMatchObject({
      state: "failed",
      attempts: 6,
      failure: { kind: "aborted", message: "it was interrupted 5 times in a row without getting further" },
    });
    expect(deadly.cleaned).toHaveLength(1);
  });
});

describe("an operation that fails", () => {
  test("tells why, if that is for others to know", async () => {
    const failing = handler(async ({ operation }) => {
      if (operation.spec["known"])
        throw new KindredError("failed-precondition", "lists \0 must be fewer than rows");
      throw new TypeError("secret");
    });
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [failing]));
    expect((await ended(await start({ spec: { known: true } }))).failure).toEqual({
      kind: "failed-precondition",
      message: "lists \uFFFD must be fewer than rows",
    });
    expect((await ended(await start())).failure).toEqual({ kind: "internal", message: "internal error" });
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
    const operation = await start();
    await until(operation, ({ state }) => state === "running");
    expect((await idle.store.cancel(operation.id, {})).state).toBe("cancelling");
    expect(await ended(operation)).toMatchObject({
      state: "cancelled",
      result: undefined,
      failure: undefined,
    });
    expect(reason).toMatchObject({ kind: "cancelled" });
    expect(waiting.cleaned).toEqual([{ stopped: false }]);
  });

  test("after its process was killed is cleaned up by another one", async () => {
    const operation = await start({ spec: { steps: 2, ms: 1 } });
    await idle.db.query(
      "UPDATE operations SET state = 'running', owner = 'the dead', lease_until = now(), attempts = 1 WHERE id = $1",
      [String(operation.id)],
    );
    await idle.db.query("INSERT INTO steps_done VALUES ($1, 0)", [String(operation.id)]);
    await idle.store.cancel(operation.id, {});
    await using running = new AsyncDisposableStack();
    running.use(await openWorker(url, [stepping("index-drop", () => idle.db)]));
    expect(await ended(operation)).toMatchObject({ state: "cancelled", attempts: 2 });
    expect(await stepsOf(operation)).toEqual([]);
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
    const told = await start({ collection: "c6" });
    await until(told, ({ state }) => state === "running");
    await idle.store.cancelAll("c6", "its collection was deleted", {});
    const noticed = await start({ collection: "c7", spec: { notices: true } });
    for (const operation of [told, noticed]) {
      expect(await ended(operation)).toMatchObject({
        state: "cancelled",
        notes: ["its collection was deleted"],
      });
    }
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
  const operation = await start();
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
    const operation = await start();
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
    const operation = await start();
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
  const operation = await start();
  const seen = await Array.fromAsync(worker.store.watch(operation.id, {}));
  expect(seen[0]?.state).not.toBe("succeeded");
  expect(seen.at(-1)).toMatchObject({ state: "succeeded", attempts: 1 });
});
