import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture({ clear: false });

interface Call {
  signal?: AbortSignal;
  timeoutMs?: number;
}

const CALLS: [string, (options: Call) => Promise<unknown>][] = [
  ["a list", (options) => fixture.client.listGenerations({ promptContains: "kite" }, options)],
  ["a list by a value", (options) => fixture.client.listGenerations({ order: { key: 2 } }, options)],
  ["a count", (options) => fixture.client.countGenerations({}, options)],
  ["a search", (options) => fixture.client.searchPrompts({ query: "q", filter: { seed: 1n } }, options)],
  ["statistics", (options) => fixture.client.getStatistics({}, options)],
  ["a report", (options) => fixture.client.getReport({}, options)],
  ["a lineage", (options) => fixture.lineage.getLineage({ id: 1n }, options)],
  [
    "the uses of an image",
    (options) => fixture.lineage.listImageUses({ image: { case: "imageId", value: 1n } }, options),
  ],
  [
    "a preview",
    (options) =>
      fixture.retention.previewRetention({ which: { case: "policy", value: { maxCount: 0n } } }, options),
  ],
];

/** Sessions of this database that wait for a lock. */
async function waiting(): Promise<number> {
  const { rowCount } = await fixture.db.query(
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
  );
  return rowCount;
}

/** Statements end by themselves after 30 seconds. */
const LONG_BEFORE_MS = 15_000;

async function until(count: number): Promise<void> {
  const deadline = performance.now() + LONG_BEFORE_MS;
  for (let found = await waiting(); found !== count; found = await waiting()) {
    if (performance.now() > deadline) throw new Error(`${found} statements wait for a lock, not ${count}`);
    await delay(5);
  }
}

/** While nobody else can read: every statement over generations takes as long as this. */
async function whileLocked(work: () => Promise<void>): Promise<void> {
  await fixture.db.transaction(async (client) => {
    await client.query("LOCK TABLE generations, generation_examples IN ACCESS EXCLUSIVE MODE");
    await work();
  });
}

describe.each(CALLS)("%s", (_, call) => {
  test("whose caller goes away goes on in the database no more", async () => {
    if (!fixture.db.capabilities.concurrentSessions) {
      process.stdout.write("not run: a statement that waits, which needs sessions of their own\n");
      return;
    }
    await whileLocked(async () => {
      const giveUp = new AbortController();
      const calling = call({ signal: giveUp.signal });
      calling.catch(() => {});
      await until(1);
      giveUp.abort();
      await expect(calling).rejects.toMatchObject({ kind: "cancelled" });
      await until(0);
    });
  }, 60_000);
});
