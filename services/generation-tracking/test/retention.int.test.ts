import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { OperationState, type Operation } from "@kindred/contracts/common/v1";
import { GenerationStatus, RetentionPolicySchema } from "@kindred/contracts/generation-tracking/v1";
import fc from "fast-check";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();
beforeEach(async () => {
  await fixture.db.query("TRUNCATE operations, retention_policies CASCADE");
});

const DAY = { seconds: 86_400n };

interface Row {
  ageDays: number;
  status: "completed" | "failed" | "cancelled" | "running";
  rating: number | null;
  labels: string[];
  /** Of the row that it varies, which comes before it. */
  parent: number | undefined;
}

/** @returns their ids */
async function insert(rows: readonly Row[]): Promise<bigint[]> {
  const { rows: stored } = await fixture.db.query<{ id: string }>(
    `INSERT INTO generations (prompt, status, created_at, rating, labels, lease_ms, lease_expires_at)
     SELECT 'p', r->>'status', now() - (r->>'ageDays')::float8 * interval '1 day', (r->>'rating')::smallint,
            ARRAY(SELECT jsonb_array_elements_text(r->'labels')),
            CASE WHEN r->>'status' = 'running' THEN 1000 END,
            CASE WHEN r->>'status' = 'running' THEN now() + interval '1 day' END
       FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS given (r, at) ORDER BY at RETURNING id`,
    [JSON.stringify(rows)],
  );
  const ids = stored.map(({ id }) => BigInt(id)).toSorted((a, b) => (a < b ? -1 : 1));
  const parents = rows.flatMap(({ parent }, i) => (parent === undefined ? [] : [[ids[i], ids[parent]]]));
  await fixture.db.query(
    `UPDATE generations g SET parent_id = p.parent
       FROM unnest($1::bigint[], $2::bigint[]) AS p (id, parent) WHERE g.id = p.id`,
    [parents.map(([id]) => String(id)), parents.map(([, parent]) => String(parent))],
  );
  return ids;
}

async function idsLeft(): Promise<bigint[]> {
  const { rows } = await fixture.db.query<{ id: string }>("SELECT id FROM generations ORDER BY id");
  return rows.map(({ id }) => BigInt(id));
}

async function ended(operation: Operation | undefined): Promise<Operation> {
  let last: Operation | undefined;
  for await (const update of fixture.operations.watchOperation(
    { id: operation?.id ?? 0n },
    { timeoutMs: 60_000 },
  ))
    last = update.operation;
  return last as Operation;
}

async function apply(name: string): Promise<Operation> {
  return await ended((await fixture.retention.startRetention({ name })).operation);
}

const row = (changes: Partial<Row> = {}): Row => ({
  ageDays: 10,
  status: "completed",
  rating: null,
  labels: [],
  parent: undefined,
  ...changes,
});

describe("policies", () => {
  test("are made, changed, listed by name and deleted", async () => {
    const policy = {
      name: "old",
      maxAge: { seconds: 2_592_000n, nanos: 1000 },
      maxCount: 100_000n,
      statuses: [GenerationStatus.FAILED, GenerationStatus.FAILED],
      keepRating: 4,
      keepLabels: ["keep"],
      keepParents: true,
      every: { seconds: 3600n },
    };
    const made = await fixture.retention.putRetentionPolicy({ policy });
    expect(made).toMatchObject({ created: true, policy: { ...policy, statuses: [GenerationStatus.FAILED] } });
    await fixture.retention.putRetentionPolicy({ policy: { name: "all", maxCount: 0n } });
    const changed = await fixture.retention.putRetentionPolicy({ policy: { name: "old", maxCount: 1n } });
    expect(changed.created).toBe(false);
    expect(changed.policy).toEqual(create(RetentionPolicySchema, { name: "old", maxCount: 1n }));
    const { policies } = await fixture.retention.listRetentionPolicies({});
    expect(policies.map((each) => each.policy?.name)).toEqual(["all", "old"]);
    expect(policies[0]).toMatchObject({ lastDeleted: 0n, operationId: 0n });
    expect(policies[0]).not.toHaveProperty("lastAppliedAt");
    await fixture.retention.deleteRetentionPolicy({ name: "old" });
    await expect(fixture.retention.deleteRetentionPolicy({ name: "old" })).rejects.toMatchObject({
      kind: "not-found",
      message: 'there is no retention policy "old"',
    });
    await expect(fixture.retention.startRetention({ name: "old" })).rejects.toMatchObject({
      kind: "not-found",
    });
  });
});

test("a policy applied: what is old and unkept goes, with its outputs and examples, and the outbox is told", async () => {
  const ids = await insert([
    row(),
    row({ rating: 5 }),
    row({ labels: ["hero"] }),
    row({ status: "running" }),
    row({ status: "failed" }),
    row({ ageDays: 1 }),
  ]);
  await fixture.db.query(
    `UPDATE generations SET output_path = '/a.png', retrieved_examples = '[{"image_id": "7", "caption": "c"}]'`,
  );
  await fixture.db.query("DELETE FROM generation_outbox");
  await fixture.retention.putRetentionPolicy({
    policy: { name: "old", maxAge: { seconds: 5n * DAY.seconds }, keepRating: 4, keepLabels: ["hero"] },
  });
  const preview = await fixture.retention.previewRetention({ which: { case: "name", value: "old" } });
  expect(preview).toMatchObject({ count: 2n, total: 6n, kept: 2n });
  expect(preview.samples.map(({ id }) => id)).toEqual([ids[0], ids[4]]);
  expect(preview.byStatus).toMatchObject([
    { status: GenerationStatus.COMPLETED, count: 1n },
    { status: GenerationStatus.FAILED, count: 1n },
  ]);
  expect(preview.oldest).toEqual(preview.samples[0]?.createdAt);
  const operation = await apply("old");
  expect(operation).toMatchObject({
    subject: { case: "policy", value: "old" },
    state: OperationState.SUCCEEDED,
    result: { deleted: 2 },
    phase: "delete",
    done: 2n,
    total: 2n,
    unit: "generations",
  });
  expect(await idsLeft()).toEqual([ids[1], ids[2], ids[3], ids[5]]);
  for (const table of ["generation_outputs", "generation_examples"]) {
    const { rows } = await fixture.db.query<{ n: string }>(
      `SELECT count(DISTINCT generation_id) AS n FROM ${table}`,
    );
    expect(rows[0]?.n).toBe("4");
  }
  const { rows: outbox } = await fixture.db.query<{ generation_id: string }>(
    "SELECT generation_id FROM generation_outbox WHERE deleted ORDER BY 1",
  );
  expect(outbox.map(({ generation_id: id }) => BigInt(id))).toEqual([ids[0], ids[4]]);
  expect((await fixture.retention.listRetentionPolicies({})).policies).toMatchObject([
    { lastDeleted: 2n, operationId: operation.id, lastAppliedAt: operation.finishedAt && expect.anything() },
  ]);
  expect((await apply("old")).result).toEqual({ deleted: 0 });
});

test("a preview says what is then deleted, whatever the policy: as a naive computation does", async () => {
  const rows = fc.array(
    fc.record({
      ageDays: fc.integer({ min: 0, max: 10 }).map((days) => days + 0.5),
      status: fc.constantFrom("completed", "failed", "cancelled", "running"),
      rating: fc.option(fc.integer({ min: 1, max: 5 })),
      labels: fc.subarray(["a", "b"]),
      parent: fc.option(fc.nat(), { nil: undefined }),
    }),
    { maxLength: 40 },
  );
  const policies = fc
    .record({
      maxAgeDays: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
      maxCount: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
      statuses: fc.subarray(["completed", "failed", "cancelled"]),
      keepRating: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
      keepLabels: fc.subarray(["a", "b"]),
      keepParents: fc.boolean(),
    })
    .filter(({ maxAgeDays, maxCount }) => maxAgeDays !== undefined || maxCount !== undefined);
  await fc.assert(
    fc.asyncProperty(rows, policies, async (drawn, policy) => {
      await fixture.clear();
      const given = drawn.map((each, i): Row => ({
        ...each,
        status: each.status as Row["status"],
        parent: i === 0 || each.parent === undefined ? undefined : each.parent % i,
      }));
      const ids = await insert(given);
      const staying = new Set(naive(given, policy));
      await fixture.retention.putRetentionPolicy({
        policy: {
          name: "drawn",
          ...(policy.maxAgeDays !== undefined && {
            maxAge: { seconds: BigInt(policy.maxAgeDays) * DAY.seconds },
          }),
          ...(policy.maxCount !== undefined && { maxCount: BigInt(policy.maxCount) }),
          ...(policy.keepRating !== undefined && { keepRating: policy.keepRating }),
          keepLabels: policy.keepLabels,
          keepParents: policy.keepParents,
          statuses: policy.statuses.map(
            (status) => GenerationStatus[status.toUpperCase() as keyof typeof GenerationStatus],
          ),
        },
      });
      const preview = await fixture.retention.previewRetention({ which: { case: "name", value: "drawn" } });
      const { result, total } = await apply("drawn");
      const left = await idsLeft();
      expect(left).toEqual(ids.filter((_, i) => staying.has(i)));
      expect(preview).toMatchObject({ count: BigInt(ids.length - left.length), total: BigInt(ids.length) });
      expect(preview.samples.every(({ id }) => !left.includes(id))).toBe(true);
      expect({ result, total }).toEqual({ result: { deleted: Number(preview.count) }, total: preview.count });
    }),
    // Where one session serves everybody, each takes some seconds.
    { numRuns: fixture.db.capabilities.concurrentSessions ? 30 : 5 },
  );
}, 300_000);

interface NaivePolicy {
  maxAgeDays: number | undefined;
  maxCount: number | undefined;
  statuses: string[];
  keepRating: number | undefined;
  keepLabels: string[];
  keepParents: boolean;
}

/** The places of those that stay. Ages are whole days and a half, so that no clock is at a limit; of equal ones the later is newer. */
function naive(rows: readonly Row[], policy: NaivePolicy): number[] {
  const counted = rows
    .map((each, i) => ({ ...each, i }))
    .filter(({ status }) =>
      policy.statuses.length > 0 ? policy.statuses.includes(status) : status !== "running",
    )
    .toSorted((a, b) => a.ageDays - b.ageDays || b.i - a.i);
  const old = counted.filter(
    ({ ageDays }, place) =>
      (policy.maxAgeDays !== undefined && ageDays > policy.maxAgeDays) ||
      (policy.maxCount !== undefined && place >= policy.maxCount),
  );
  const goes = new Set(
    old
      .filter(
        ({ rating }) => policy.keepRating === undefined || rating === null || rating < policy.keepRating,
      )
      .filter(({ labels }) => !labels.some((label) => policy.keepLabels.includes(label)))
      .map(({ i }) => i),
  );
  for (let held = true; held && policy.keepParents;) {
    held = rows.some(({ parent }, i) => parent !== undefined && !goes.has(i) && goes.delete(parent));
  }
  return rows.map((_, i) => i).filter((i) => !goes.has(i));
}

test("thousands go batch by batch, and what a batch passes over is not counted", async () => {
  await fixture.db.query(
    `INSERT INTO generations (prompt, status, created_at, rating)
     SELECT 'p', 'completed', now() - interval '10 days' - i * interval '1 second', CASE WHEN i % 3 = 0 THEN 5 END
       FROM generate_series(1, 12500) i`,
  );
  await fixture.retention.putRetentionPolicy({ policy: { name: "old", maxCount: 100n, keepRating: 5 } });
  const preview = await fixture.retention.previewRetention({ which: { case: "name", value: "old" } });
  // Of the 100 newest 33 are rated.
  expect(preview).toMatchObject({ count: 12_500n - 100n - (4166n - 33n), kept: 4166n - 33n });
  expect(preview.samples).toHaveLength(20);
  const operation = await apply("old");
  expect(operation).toMatchObject({ result: { deleted: Number(preview.count) }, done: preview.count });
  expect(await idsLeft()).toHaveLength(4166 - 33 + 100);
}, 120_000);

test("one operation of a policy at a time; a key begins nothing twice; cancelling keeps what is there", async () => {
  await insert([row()]);
  await fixture.retention.putRetentionPolicy({ policy: { name: "old", maxAge: DAY } });
  // Nobody takes what waits for somebody else's.
  await fixture.db.query(`INSERT INTO retention_policies (name, max_count) VALUES ('other', 1000000)`);
  await fixture.db.query(
    `INSERT INTO operations (kind, subject, automatic, spec, state, owner, lease_until, attempts)
     VALUES ('retention', 'other', false, '{"statuses": [], "keep_labels": []}', 'running', 'somebody', now() + interval '1 hour', 1)`,
  );
  const request = { name: "old", idempotencyKey: "k1" };
  const { operation } = await fixture.retention.startRetention(request);
  expect(operation).toMatchObject({ state: OperationState.QUEUED, spec: { max_age: "86400s" } });
  expect((await fixture.retention.startRetention(request)).operation?.id).toBe(operation?.id);
  await expect(fixture.retention.startRetention({ name: "old" })).rejects.toMatchObject({
    kind: "already-exists",
    message: `operation g${operation?.id} (retention) of the policy "old" is queued: wait for it, or cancel it`,
  });
  await expect(
    fixture.retention.startRetention({ name: "other", idempotencyKey: "k1" }),
  ).rejects.toMatchObject({
    kind: "already-exists",
  });
  const { operation: cancelled } = await fixture.operations.cancelOperation({ id: operation?.id ?? 0n });
  expect(cancelled?.state).toBe(OperationState.CANCELLED);
  expect(await idsLeft()).toHaveLength(1);
  const { operations: listed } = await fixture.operations.listOperations({ policy: "old" });
  expect(listed.map(({ id }) => id)).toEqual([operation?.id]);
  expect((await fixture.operations.listOperations({ active: true, pageSize: 1 })).operations).toHaveLength(1);
  // With its policy goes what waits.
  const { operation: next } = await fixture.retention.startRetention({ name: "old" });
  await fixture.retention.deleteRetentionPolicy({ name: "old" });
  expect((await fixture.operations.getOperation({ id: next?.id ?? 0n })).operation).toMatchObject({
    state: OperationState.CANCELLED,
    notes: ["its policy was deleted"],
  });
  await delay(50);
  expect(await idsLeft()).toHaveLength(1);
});
