import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, expect, test } from "@jest/globals";
import type { PoolClient } from "pg";
import { retentionRuns } from "../src/adapters/postgres/retention-runs.ts";
import type { RetentionRun, RetentionRuns } from "../src/domain/retention/ports.ts";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();
let runs: RetentionRuns;
beforeAll(async () => {
  runs = retentionRuns(fixture.db);
}, 120_000);

const POLICY = {
  name: "all",
  maxAgeMicros: undefined,
  maxCount: 0n,
  statuses: [],
  keepRating: 3,
  keepLabels: [],
  keepParents: true,
  everyMicros: undefined,
};

/** An operation that nobody works on but the test. */
async function begin(): Promise<bigint> {
  const { rows } = await fixture.db.query<{ id: string }>(
    `INSERT INTO operations (kind, subject, automatic, spec, state, finished_at)
     VALUES ('retention', 'all', false, '{}', 'succeeded', now()) RETURNING id`,
  );
  const id = BigInt(rows[0]?.id ?? 0);
  await runs.begin(id, POLICY, {});
  return id;
}

const record = async (prompt: string, parentId?: bigint): Promise<bigint> =>
  (await fixture.client.recordGeneration({ generation: { prompt, ...(parentId && { parentId }) } }))
    .generation?.id ?? 0n;

async function prompts(): Promise<string[]> {
  const { rows } = await fixture.db.query<{ prompt: string }>("SELECT prompt FROM generations ORDER BY id");
  return rows.map(({ prompt }) => prompt);
}

/** Until a session of this database waits for a lock. */
async function somebodyWaits(): Promise<void> {
  const waiting = () =>
    fixture.db.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
  while ((await waiting()).rowCount === 0) await delay(5);
}

/** Deletes while a transaction has done its work and is not committed yet. */
async function deletedDuring(
  operation: bigint,
  work: (client: PoolClient) => Promise<unknown>,
): Promise<RetentionRun> {
  let deleting: Promise<RetentionRun> | undefined;
  await fixture.db.transaction(async (client) => {
    await work(client);
    deleting = runs.deleteSome(operation, POLICY, {});
    await somebodyWaits();
  });
  return await (deleting as Promise<RetentionRun>);
}

test("a variation that is rated at this moment keeps what it varies", async () => {
  if (!fixture.db.capabilities.concurrentSessions) {
    process.stdout.write("not run: a row that somebody else locks, which needs sessions of their own\n");
    return;
  }
  const parent = await record("a kite");
  const child = await record("a kite at night", parent);
  const run = await deletedDuring(await begin(), (client) =>
    client.query("UPDATE generations SET rating = 5 WHERE id = $1", [String(child)]),
  );
  expect(run).toMatchObject({ deleted: 0n, over: true });
  expect(await prompts()).toEqual(["a kite", "a kite at night"]);
}, 30_000);

test("a variation that is recorded at this moment keeps what it varies, or learns that that is gone", async () => {
  const parents = await Promise.all(Array.from({ length: 60 }, (_, i) => record(`kite ${i}`)));
  const operation = await begin();
  const [run, ...recorded] = await Promise.allSettled([
    runs.deleteSome(operation, POLICY, {}),
    ...parents.map((parent) => record("a kite at night", parent)),
  ]);
  expect(run.status).toBe("fulfilled");
  const varied = recorded.filter(({ status }) => status === "fulfilled").length;
  for (const outcome of recorded)
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ kind: "not-found" });
  const { rows } = await fixture.db.query<{ orphans: number; variations: number }>(
    `SELECT count(*)::int AS variations, count(*) FILTER (WHERE p.id IS NULL)::int AS orphans
       FROM generations g LEFT JOIN generations p ON p.id = g.parent_id WHERE g.parent_id IS NOT NULL`,
  );
  expect(rows).toEqual([{ variations: varied, orphans: 0 }]);
}, 60_000);

const DELETIONS: [string, () => Promise<() => Promise<unknown>>][] = [
  [
    "retention",
    async () => {
      const operation = await begin();
      return () => runs.deleteSome(operation, POLICY, {});
    },
  ],
  [
    "deleting",
    async () => () =>
      fixture.client.deleteGenerations({ ids: Array.from({ length: 1000 }, (_, i) => BigInt(i + 1)) }),
  ],
];

test.each(DELETIONS)(
  "%s locks outputs in the order in which those are who report on them",
  async (_, prepare) => {
    if (!fixture.db.capabilities.concurrentSessions) {
      process.stdout.write("not run: a row that somebody else locks, which needs sessions of their own\n");
      return;
    }
    // They lie in the table in another order.
    await fixture.db.query(
      `INSERT INTO generations (id, prompt, output_path)
     OVERRIDING SYSTEM VALUE SELECT i, 'kite', i || '.png' FROM generate_series(1000, 1, -1) i`,
    );
    await fixture.db.query("ANALYZE generations");
    const deleteThem = await prepare();
    const lock = (client: PoolClient, id: number) =>
      client.query("SELECT FROM generation_outputs WHERE generation_id = $1 FOR UPDATE NOWAIT", [id]);
    let deleting: Promise<unknown> | undefined;
    await fixture.db.transaction(async (client) => {
      await lock(client, 1);
      deleting = deleteThem();
      await somebodyWaits();
      await lock(client, 1000);
    });
    await deleting;
    expect(await prompts()).toEqual([]);
  },
  30_000,
);
