import { timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { MetricSource, type MetricSample, type MetricSampleSchema } from "@kindred/contracts/metrics/v1";
import { rollupStore } from "../src/adapters/postgres/rollup-store.ts";
import { storage } from "../src/adapters/postgres/storage.ts";
import { keepStorage } from "../src/domain/retention.ts";
import { computeRollups } from "../src/domain/rollups.ts";
import { useMetrics } from "./use-metrics.ts";

type SampleInit = MessageInitShape<typeof MetricSampleSchema>;

const fixture = useMetrics();

const HOUR_MS = 3_600_000;
const ago = (ms: number): Timestamp => timestampFromMs(Date.now() - ms);
const values = (samples: readonly MetricSample[]): (number | undefined)[] => samples.map((s) => s.cpuUsage);

async function rowCount(): Promise<number> {
  const { rows } = await fixture.db.query<{ n: number }>("SELECT count(*)::int AS n FROM system_metrics");
  return rows[0]?.n as number;
}

describe("reporting", () => {
  test("what was reported is read back as it was; what was not measured is not set, and zero is zero", async () => {
    const full: SampleInit = {
      component: "embedding",
      timestamp: { ...ago(60_000), nanos: 123_456_000 },
      cpuUsage: 187.5,
      memoryUsageMb: 0.1,
      diskUsageMb: 1e6 + 1 / 3,
      gpuMemoryMb: 0,
      activeConnections: 2_147_483_647,
      instance: "node-7",
      eventLoopLagMs: 1.25,
      cpuLimit: 1.5,
      memoryLimitMb: 2048,
      diskTotalMb: 2e6,
      cpuSource: MetricSource.CGROUP2,
      memorySource: MetricSource.PROCESS,
      gpus: [
        {
          index: 0,
          name: "NVIDIA H200",
          memoryUsedMb: 0,
          memoryTotalMb: 143_771,
          utilization: 0,
          power: 75.5,
        },
        { index: 1, name: "another" },
      ],
      gpuProblem: "GPU 2 does not answer",
    };
    await fixture.client.reportMetrics({
      samples: [full, { component: "🦘".repeat(50), timestamp: ago(30_000) }],
    });
    const { samples, truncated } = await fixture.client.getMetricsHistory({});
    expect(truncated).toBe(false);
    expect(samples[0]).toMatchObject(full);
    expect(samples[1]).toMatchObject({ component: "🦘".repeat(50) });
    for (const field of [
      "cpuUsage",
      "memoryUsageMb",
      "diskUsageMb",
      "gpuMemoryMb",
      "activeConnections",
      "eventLoopLagMs",
      "cpuLimit",
      "memoryLimitMb",
      "diskTotalMb",
    ] as const) {
      expect(samples[1]?.[field]).toBeUndefined();
    }
  });

  test("a sample without a time gets the time of its arrival, and is never taken for another", async () => {
    await fixture.client.reportMetrics({ samples: [{ component: "x" }, { component: "x" }] });
    await fixture.client.reportMetrics({ samples: [{ component: "x" }] });
    const { samples } = await fixture.client.getMetricsHistory({ hours: 0.01 });
    expect(samples).toHaveLength(3);
  });

  test("a thousand samples at once, and again: each is stored once", async () => {
    const samples = Array.from({ length: 1000 }, (_, i): SampleInit => ({
      component: `c${i % 7}`,
      timestamp: ago(1000 * i),
      ...(i % 3 ? { cpuUsage: i } : {}),
      ...(i % 5 ? { activeConnections: i } : {}),
    }));
    await fixture.client.reportMetrics({ samples });
    await fixture.client.reportMetrics({ samples: samples.slice(500) });
    expect(await rowCount()).toBe(1000);
    // Another value is another sample: two replicas of one component may be sampled at the same moment.
    await fixture.client.reportMetrics({ samples: [{ ...samples[1], cpuUsage: 99.5 } as SampleInit] });
    expect(await rowCount()).toBe(1001);
  });

  test("one bad sample, and nothing of the report is stored", async () => {
    const samples = [{ component: "fine" }, { component: "bad", cpuUsage: Number.NaN }];
    await expect(fixture.client.reportMetrics({ samples })).rejects.toMatchObject({
      kind: "invalid-argument",
      violations: [{ field: "samples[1].cpu_usage" }],
    });
    expect(await rowCount()).toBe(0);
  });
});

/** From this number down to 0. */
const descending = (from: number, step = 1): number[] => {
  const found = [];
  for (let i = from; i >= 0; i -= step) found.push(i);
  return found;
};

describe("history", () => {
  beforeEach(async () => {
    const samples = Array.from({ length: 30 }, (_, i): SampleInit => ({
      component: i % 2 ? "odd" : "even",
      timestamp: ago(HOUR_MS * i + 60_000),
      cpuUsage: i,
    }));
    // In any order: what counts is their time.
    await fixture.client.reportMetrics({
      samples: samples.toSorted((a, b) => Math.sin(a.cpuUsage ?? 0) - Math.sin(b.cpuUsage ?? 0)),
    });
  });

  test("is oldest first, and goes back as far as asked; a day by default", async () => {
    expect(values((await fixture.client.getMetricsHistory({ hours: 4 })).samples)).toEqual(descending(3));
    expect(values((await fixture.client.getMetricsHistory({ hours: 0.5 })).samples)).toEqual([0]);
    expect(values((await fixture.client.getMetricsHistory({})).samples)).toEqual(descending(23));
    expect(values((await fixture.client.getMetricsHistory({ hours: 8760 })).samples)).toEqual(descending(29));
  });

  test("of one component has only its samples", async () => {
    expect(
      values((await fixture.client.getMetricsHistory({ component: "even", hours: 10 })).samples),
    ).toEqual(descending(8, 2));
    expect((await fixture.client.getMetricsHistory({ component: "nobody" })).samples).toEqual([]);
  });

  test("that is cut off keeps the newest, and says so only when something is missing", async () => {
    const cut = await fixture.client.getMetricsHistory({ limit: 3 });
    expect({ values: values(cut.samples), truncated: cut.truncated }).toEqual({
      values: [2, 1, 0],
      truncated: true,
    });
    const exact = await fixture.client.getMetricsHistory({ limit: 24 });
    expect([exact.samples.length, exact.truncated]).toEqual([24, false]);
    const component = await fixture.client.getMetricsHistory({ limit: 11, component: "odd" });
    expect([component.samples.length, component.truncated]).toEqual([11, true]);
  });

  test("shows rows of users' own SQL, without a component too", async () => {
    await fixture.db.query("INSERT INTO system_metrics (cpu_usage) VALUES (50)");
    const { samples } = await fixture.client.getMetricsHistory({ hours: 0.01 });
    expect(samples).toMatchObject([{ component: "", cpuUsage: 50 }]);
  });

  test("of one component is read through the index", async () => {
    await fixture.db.query(
      `INSERT INTO system_metrics (component, timestamp)
       SELECT 'c' || i % 50, now() - i * INTERVAL '1 second' FROM generate_series(1, 20000) i`,
    );
    await fixture.db.query("ANALYZE system_metrics");
    const { rows } = await fixture.db.query<{ "QUERY PLAN": string }>(
      `EXPLAIN SELECT * FROM system_metrics
        WHERE component = 'c7' AND timestamp >= now() - INTERVAL '1 hour' ORDER BY timestamp DESC, id DESC LIMIT 100`,
    );
    expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain("_component_timestamp_idx");
  });
});

describe("retention", () => {
  const HOURS = 24;
  const round = async (log: object[] = []): Promise<void> => {
    const keepMs = HOURS * HOUR_MS;
    await keepStorage(
      {
        storage: storage(fixture.db),
        keepMs: { raw: keepMs, minute: keepMs, hour: keepMs },
        batchSize: 100,
        log: { info: (fields) => log.push(fields), warn: (fields) => log.push(fields) },
      },
      new AbortController().signal,
    );
  };

  beforeEach(async () => {
    await fixture.db.query(
      `INSERT INTO system_metrics (component, timestamp, cpu_usage)
       SELECT 'x', now() - i * INTERVAL '3 minutes' + INTERVAL '90 seconds', i FROM generate_series(1, 1000) i`,
    );
    // Until then they stay.
    await computeRollups({ rollups: rollupStore(fixture.db) }, new AbortController().signal);
  });

  /** Of the samples that a round keeps: those of the hour that was 24 hours and five minutes ago, and later. */
  async function kept(): Promise<number> {
    const { rows } = await fixture.db.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM generate_series(1, 1000) i
        WHERE now() - i * INTERVAL '3 minutes' + INTERVAL '90 seconds'
              >= date_trunc('hour', now() - INTERVAL '24 hours 5 minutes', 'UTC')`,
    );
    return rows[0]?.n as number;
  }

  test("deletes what is older, in batches, and nothing else", async () => {
    await round();
    const { rows } = await fixture.db.query<{ oldest: number; n: number }>(
      "SELECT max(cpu_usage)::int AS oldest, count(*)::int AS n FROM system_metrics",
    );
    // The clock may go on between the two.
    expect(rows[0]?.n).toBe(rows[0]?.oldest);
    expect(Math.abs((rows[0]?.n ?? 0) - (await kept()))).toBeLessThanOrEqual(1);
  });

  test("of several replicas at once fails nowhere and deletes all", async () => {
    const log: object[] = [];
    await Promise.all(Array.from({ length: 4 }, () => round(log)));
    await round(log);
    expect(log.filter((line) => "err" in line)).toEqual([]);
    expect(Math.abs((await rowCount()) - (await kept()))).toBeLessThanOrEqual(1);
  });
});

test("the table refuses by itself what the contract refuses", async () => {
  for (const [column, value] of [
    ["cpu_usage", "-1"],
    ["memory_usage_mb", "'NaN'"],
    ["disk_usage_mb", "'Infinity'"],
    ["gpu_memory_mb", "-1"],
    ["active_connections", "-1"],
  ]) {
    await expect(
      fixture.db.query(`INSERT INTO system_metrics (${column}) VALUES (${value})`),
    ).rejects.toThrow(/check/i);
  }
});
