import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { LATEST_SAMPLES } from "../src/adapters/postgres/component-store.ts";
import { rollupStore } from "../src/adapters/postgres/rollup-store.ts";
import { storage } from "../src/adapters/postgres/storage.ts";
import { keepStorage } from "../src/domain/retention.ts";
import { computeRollups } from "../src/domain/rollups.ts";
import { useMetrics } from "./use-metrics.ts";

const HOUR_MS = 3_600_000;
const fixture = useMetrics();

const { signal } = new AbortController();
const computeAll = (): Promise<void> => computeRollups({ rollups: rollupStore(fixture.db) }, signal);

test("components are those that have reported, and silent are those that should have again", async () => {
  const now = Date.now();
  const samples = [
    // Every 10 s until 20 s ago, every 10 s until 40 s ago, every 5 min until 10 min ago, once.
    ...[20, 30, 40].map((s) => ({ component: "a", instance: "1", s })),
    ...[40, 50, 60].map((s) => ({ component: "a", instance: "2", s })),
    ...[600, 900, 1200].map((s) => ({ component: "b", instance: "", s })),
    { component: "c", instance: "", s: 7200 },
  ].map(({ s, ...names }) => ({ ...names, cpuUsage: s, timestamp: timestampFromMs(now - 1000 * s) }));
  await fixture.client.reportMetrics({ samples });
  await fixture.db.query("INSERT INTO system_metrics (cpu_usage) VALUES (50)");
  // Before their minutes are computed and afterwards.
  for (let i = 0; i < 2; i++) {
    const { components } = await fixture.client.listComponents({});
    expect(components.map((c) => [c.component, c.instance, c.latest?.cpuUsage, c.silent])).toEqual([
      ["a", "1", 20, false],
      ["a", "2", 40, true],
      ["b", "", 600, false],
      ["c", "", 7200, true],
    ]);
    await computeAll();
  }
});

interface PlanNode {
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Index Recheck"?: number;
  Plans?: PlanNode[];
}

/** Rows of samples that were looked at, whether they were wanted or not. */
function samplesRead(node: PlanNode): number {
  const own = (node["Relation Name"] ?? "").match(/^system_metrics(_\d{8}|_default)$/)
    ? node["Actual Loops"] *
      (node["Actual Rows"] +
        (node["Rows Removed by Filter"] ?? 0) +
        (node["Rows Removed by Index Recheck"] ?? 0))
    : 0;
  return own + (node.Plans ?? []).reduce((sum, child) => sum + samplesRead(child), 0);
}

test("a process that ended long ago is found without reading what others have reported before and since", async () => {
  const { db, client } = fixture;
  await db.query(`
    INSERT INTO system_metrics (component, instance, timestamp, cpu_usage)
    SELECT 'vector-store', 'pod-' || p, now() - i * INTERVAL '10 seconds', i
      FROM generate_series(0, 2) AS p, generate_series(0, 3000) AS i`);
  // One that had hardly begun, in the middle of it.
  await db.query(`
    INSERT INTO system_metrics (component, instance, timestamp, cpu_usage)
    VALUES ('vector-store', 'pod-old', now() - INTERVAL '4 hours', 50), ('vector-store', 'pod-old', now() - INTERVAL '4 hours 10 seconds', 51)`);
  await computeAll();
  await db.query("ANALYZE");
  const { components } = await client.listComponents({});
  expect(components.map(({ instance, latest, silent }) => [instance, latest?.cpuUsage, silent])).toEqual([
    ["pod-0", 0, false],
    ["pod-1", 0, false],
    ["pod-2", 0, false],
    ["pod-old", 50, true],
  ]);
  const sql = `EXPLAIN (ANALYZE, FORMAT JSON) ${LATEST_SAMPLES.replaceAll("$1", "12")}`;
  const { rows } = await db.query<{ "QUERY PLAN": [{ Plan: PlanNode }] }>(sql);
  const read = samplesRead((rows[0] as (typeof rows)[0])["QUERY PLAN"][0].Plan);
  expect(read).toBeGreaterThan(0);
  expect(read).toBeLessThan(1000);
});

test("a process whose samples went is forgotten", async () => {
  const { db, client } = fixture;
  const timestamp = timestampFromMs(Date.now() - 6 * HOUR_MS);
  await client.reportMetrics({
    samples: [
      { component: "a", instance: "old", timestamp, cpuUsage: 1 },
      { component: "a", instance: "new", cpuUsage: 2 },
    ],
  });
  await db.query("UPDATE metric_horizons SET dropped_before = '-infinity'");
  await computeAll();
  const known = async (): Promise<string[]> =>
    (await db.query<{ instance: string }>("SELECT instance FROM metric_series")).rows.map((r) => r.instance);
  expect(await known()).toEqual(["old"]);
  const keepMs = { raw: HOUR_MS, minute: 720 * HOUR_MS, hour: 720 * HOUR_MS };
  const log = { info: () => {}, warn: () => {} };
  await keepStorage({ storage: storage(db), keepMs, batchSize: 100, log }, signal);
  expect(await known()).toEqual([]);
  const { components } = await client.listComponents({});
  expect(components.map(({ instance }) => instance)).toEqual(["new"]);
});
