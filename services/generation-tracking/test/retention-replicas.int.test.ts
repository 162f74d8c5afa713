import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { migrate, type Database } from "@kindred/postgres";
import { testDatabase } from "@kindred/testing";
import { migrations } from "../src/adapters/postgres/migrations.ts";
import { retentionRuns } from "../src/adapters/postgres/retention-runs.ts";
import type { Operation } from "../src/domain/operations/operation.ts";
import { applyDuePolicies, startRetention } from "../src/domain/retention/apply-retention.ts";
import type { RetentionPolicy } from "../src/domain/retention/policy.ts";
import { openAsking, openReplica, type Asking } from "./retention-workers.ts";

const closing = new AsyncDisposableStack();
let url: string;
let db: Database;
let asking: Asking;

beforeAll(async () => {
  ({ url } = closing.use(await testDatabase()));
  asking = closing.use(await openAsking(url));
  db = asking.db;
  await migrate(db, { migrations });
}, 120_000);
afterAll(() => closing.disposeAsync());
beforeEach(async () => {
  await db.query("TRUNCATE generations, generation_outbox, operations, retention_policies CASCADE");
});

const DAY_MICROS = 86_400_000_000n;
const OLD: RetentionPolicy = {
  name: "old",
  maxAgeMicros: 5n * DAY_MICROS,
  maxCount: undefined,
  statuses: [],
  keepRating: 4,
  keepLabels: [],
  keepParents: true,
  everyMicros: undefined,
};

async function insertOld(count: number): Promise<void> {
  await db.query(
    `INSERT INTO generations (prompt, status, created_at)
     SELECT 'p', 'completed', now() - interval '10 days' - i * interval '1 second' FROM generate_series(1, $1::int) i`,
    [count],
  );
}

async function countGenerations(): Promise<number> {
  const { rows } = await db.query<{ n: string }>("SELECT count(*) AS n FROM generations");
  return Number(rows[0]?.n);
}

async function until(check: () => Promise<boolean>): Promise<void> {
  while (!(await check())) await delay(5);
}

async function ended(id: bigint): Promise<Operation> {
  let last: Operation | undefined;
  for await (const operation of asking.operations.watch(id, {})) last = operation;
  return last as Operation;
}

/** Locks one generation, the nth by id, until it is disposed of: a deletion gets as far as that, and waits. */
async function holding(nth: number): Promise<AsyncDisposable> {
  const session = await db.openSession();
  await session.query("BEGIN");
  await session.query("SELECT FROM generations ORDER BY id OFFSET $1 LIMIT 1 FOR UPDATE", [nth - 1]);
  return { [Symbol.asyncDispose]: () => session.end() };
}

/** An open transaction makes all others wait where there is one session for everybody. */
function canHold(): boolean {
  if (db.capabilities.concurrentSessions) return true;
  process.stdout.write("not run: a process of its own, or a lock, needs a session of its own\n");
  return false;
}

const start = () => startRetention(asking, { name: "old", requestId: undefined }, () => ({}));

test("a process that is killed over it leaves a true account, and another one goes on to the end", async () => {
  if (!canHold()) return;
  await insertOld(20_000);
  await asking.policies.put(OLD, {});
  const script = fileURLToPath(new URL("retention-process.ts", import.meta.url));
  const child = spawn(process.execPath, [script, url], { stdio: ["ignore", "inherit", "inherit"] });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  let id: bigint;
  {
    // In the eighth batch from the end of ids.
    await using holder = new AsyncDisposableStack();
    holder.use(await holding(12_500));
    ({ id } = await start());
    try {
      await until(async () => (await countGenerations()) === 13_000);
    } finally {
      child.kill("SIGKILL");
    }
    await exited;
  }
  const { rows } = await db.query<{ deleted: string }>("SELECT deleted FROM retention_runs");
  expect(rows).toEqual([{ deleted: "7000" }]);
  await using running = new AsyncDisposableStack();
  running.use(await openReplica(url, { times: { lookEvery: 20 } }));
  expect(await ended(id)).toMatchObject({
    state: "succeeded",
    attempts: 2,
    result: { deleted: 20_000 },
    progress: { done: 20_000, total: 20_000 },
  });
  expect(await countGenerations()).toBe(0);
}, 300_000);

test("a cancelled deletion stops between two batches, and says what it has deleted", async () => {
  if (!canHold()) return;
  await insertOld(5000);
  await asking.policies.put(OLD, {});
  await using running = new AsyncDisposableStack();
  running.use(await openReplica(url));
  running.use(await holding(2500));
  const { id } = await start();
  await until(async () => (await countGenerations()) === 3000);
  await asking.operations.cancel(id, {});
  const { state, attempts } = await ended(id);
  expect({ state, attempts }).toEqual({ state: "cancelled", attempts: 1 });
  expect(await countGenerations()).toBe(3000);
  const [policy] = await asking.policies.list({});
  expect(policy).toMatchObject({ operationId: id, lastDeleted: 2000n });
  expect(policy?.lastAppliedAtMicros).toBeDefined();
}, 120_000);

test("what is kept while a deletion goes on is not deleted, and what varies something keeps it", async () => {
  await insertOld(3000);
  const runs = retentionRuns(db);
  await asking.policies.put(OLD, {});
  const { id: operation } = await start();
  expect(await runs.begin(operation, OLD, {})).toEqual({ total: 3000n, deleted: 0n, over: false });
  expect(await runs.deleteSome(operation, OLD, {})).toMatchObject({ deleted: 1000n, over: false });
  const { rows } = await db.query<{ id: string }>("SELECT id FROM generations ORDER BY id LIMIT 3");
  const [rated, varied, plain] = rows.map(({ id }) => id);
  await db.query("UPDATE generations SET rating = 5 WHERE id = $1", [rated]);
  await db.query("INSERT INTO generations (prompt, parent_id) VALUES ('variation', $1)", [varied]);
  // A second one that has lost its lease without knowing goes on from the same place: nothing is counted twice.
  const both = await Promise.all([runs.deleteSome(operation, OLD, {}), runs.deleteSome(operation, OLD, {})]);
  expect(both.map(({ deleted }) => deleted).toSorted()).toEqual([2000n, 2998n]);
  let last = await runs.begin(operation, OLD, {});
  while (!last.over) last = await runs.deleteSome(operation, OLD, {});
  expect(last).toEqual({ total: 3000n, deleted: 2998n, over: true });
  const { rows: left } = await db.query<{ id: string }>("SELECT id FROM generations ORDER BY id LIMIT 2");
  expect(left.map(({ id }) => id)).toEqual([rated, varied]);
  expect(plain).toBeDefined();
});

test("replicas that look at the same time apply a policy once, and again when its time has come", async () => {
  await insertOld(10);
  await asking.policies.put({ ...OLD, everyMicros: 3600_000_000n }, {});
  await asking.policies.put({ ...OLD, name: "by-hand" }, {});
  const log = { info: () => {} };
  const { signal } = new AbortController();
  const look = () =>
    Promise.all(Array.from({ length: 8 }, () => applyDuePolicies({ ...asking, log }, signal)));
  await look();
  const all = { subject: undefined, active: false, beforeId: undefined, limit: 10 };
  const [first, ...others] = await asking.operations.list(all, {});
  expect(others).toEqual([]);
  expect(first).toMatchObject({ subject: "old", automatic: true, state: "queued" });
  await using running = new AsyncDisposableStack();
  running.use(await openReplica(url, { applyEveryMs: 10 }));
  expect(await ended(first?.id ?? 0n)).toMatchObject({ state: "succeeded", result: { deleted: 10 } });
  // It has just been applied.
  await look();
  expect(await asking.operations.list(all, {})).toHaveLength(1);
  await db.query("UPDATE operations SET created_at = created_at - interval '1 hour'");
  await db.query("UPDATE retention_policies SET created_at = created_at - interval '1 day'");
  await insertOld(5);
  await until(async () => (await asking.operations.list(all, {})).length === 2);
  const [second] = await asking.operations.list(all, {});
  expect(await ended(second?.id ?? 0n)).toMatchObject({ automatic: true, result: { deleted: 5 } });
}, 120_000);
