import { timestampFromMs, timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { toJson, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import {
  MetricName,
  MetricSource,
  QueryHistoryResponseSchema,
  Resolution,
  type MetricSampleSchema,
  type MetricSeries,
} from "@kindred/contracts/metrics/v1";
import { rollupStore } from "../src/adapters/postgres/rollup-store.ts";
import { storage } from "../src/adapters/postgres/storage.ts";
import { keepStorage } from "../src/domain/retention.ts";
import { computeRollups } from "../src/domain/rollups.ts";
import { connect } from "./metrics-fixture.ts";
import { useMetrics } from "./use-metrics.ts";

type SampleInit = MessageInitShape<typeof MetricSampleSchema>;

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const fixture = useMetrics();

const computeAll = (): Promise<void> =>
  computeRollups({ rollups: rollupStore(fixture.db) }, new AbortController().signal);

/** The beginning of the hour that was six hours ago: long over, and on one day with its neighbours or not. */
const HOUR = Math.floor((Date.now() - 6 * HOUR_MS) / HOUR_MS) * HOUR_MS;
const at = (ms: number): Timestamp => timestampFromMs(HOUR + ms);

/** What a series should be, computed from the samples by nothing that the service has. */
function expected(samples: readonly { ms: number; value: number }[], stepMs: number) {
  const buckets = Map.groupBy(samples, ({ ms }) => Math.floor(ms / stepMs) * stepMs);
  return [...buckets]
    .toSorted(([a], [b]) => a - b)
    .map(([ms, group]) => {
      const values = group.map(({ value }) => value).toSorted((a, b) => a - b);
      return {
        ms,
        // The order of adding is PostgreSQL's own.
        avg: expect.closeTo(values.reduce((sum, value) => sum + value, 0) / values.length, 9) as unknown,
        min: values[0],
        max: values.at(-1),
        // The least value that 95 % of them are no greater than.
        p95: values.find((value) => values.filter((v) => v <= value).length >= 0.95 * values.length),
        count: BigInt(values.length),
      };
    });
}

function pointsOf(series: MetricSeries | undefined) {
  return (series?.points ?? []).map(({ timestamp, avg, min, max, p95, count }) => ({
    ms: timestampMs(timestamp as Timestamp) - HOUR,
    avg,
    min,
    max,
    p95,
    count,
  }));
}

async function cpuSeries(resolution: Resolution): Promise<MetricSeries[]> {
  const { series } = await fixture.client.queryHistory({
    from: at(-HOUR_MS),
    to: at(3 * HOUR_MS),
    metrics: [MetricName.CPU_USAGE],
    resolution,
  });
  return series;
}

/** Some 400 samples over two hours with a gap, by a little generator of its own. */
function someSamples(): { ms: number; value: number }[] {
  let state = 42;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  return Array.from({ length: 400 }, () => ({
    ms: Math.floor(random() * 2 * HOUR_MS),
    value: Math.floor(random() * 1000) / 8,
  })).filter(({ ms }) => ms < 20 * MINUTE_MS || ms > 50 * MINUTE_MS);
}

const toInit = ({ ms, value }: { ms: number; value: number }): SampleInit => ({
  component: "embedding",
  instance: "a",
  timestamp: at(ms),
  cpuUsage: value,
});

describe("minutes and hours", () => {
  test("are those of the samples before they are computed, afterwards, and with samples that come late or twice", async () => {
    const samples = someSamples();
    const check = async (known: typeof samples): Promise<void> => {
      for (const [resolution, step] of [
        [Resolution.MINUTE, MINUTE_MS],
        [Resolution.HOUR, HOUR_MS],
      ] as const) {
        const [series, ...others] = await cpuSeries(resolution);
        expect(others).toEqual([]);
        expect(pointsOf(series)).toEqual(expected(known, step));
      }
    };
    const early = samples.filter((_, i) => i % 3 > 0);
    await fixture.client.reportMetrics({ samples: early.map(toInit) });
    await check(early);
    await computeAll();
    const { rows: due } = await fixture.db.query("SELECT FROM metric_rollups_due");
    expect(due).toEqual([]);
    await check(early);
    // A third of them comes late, together with others once more.
    await fixture.client.reportMetrics({ samples: samples.filter((_, i) => i % 3 < 2).map(toInit) });
    await check(samples);
    await computeAll();
    await check(samples);
    await computeAll();
    await check(samples);
  });

  test("of a process that was interrupted while it computed are computed again, by whoever comes", async () => {
    await fixture.client.reportMetrics({ samples: someSamples().map(toInit) });
    const rollups = rollupStore(fixture.db);
    const stop = new AbortController();
    const interrupted = rollups.compute("minute", { graceMs: 0, limit: 200, signal: stop.signal });
    stop.abort();
    await expect(interrupted).rejects.toMatchObject({ kind: "cancelled" });
    await computeAll();
    const [series] = await cpuSeries(Resolution.MINUTE);
    expect(pointsOf(series)).toEqual(expected(someSamples(), MINUTE_MS));
  });

  test("are computed by one of several replicas at a time, and the result is the same", async () => {
    await fixture.client.reportMetrics({ samples: someSamples().map(toInit) });
    await using other = await connect(fixture.url);
    const stores = [rollupStore(fixture.db), rollupStore(other)];
    const { signal } = new AbortController();
    for (let i = 0; i < 5; i++)
      await Promise.all(stores.map((rollups) => computeRollups({ rollups }, signal)));
    expect(pointsOf((await cpuSeries(Resolution.HOUR))[0])).toEqual(expected(someSamples(), HOUR_MS));
  });

  test("of samples of users' own SQL are there too, without a component as well", async () => {
    await fixture.db.query(
      "INSERT INTO system_metrics (timestamp, cpu_usage) VALUES (to_timestamp($1), 50), (to_timestamp($1), 100)",
      [HOUR / 1000],
    );
    await computeAll();
    const [series] = await cpuSeries(Resolution.HOUR);
    expect(series).toMatchObject({ component: "", instance: "", points: [{ avg: 75, count: 2n }] });
    const { series: named } = await fixture.client.queryHistory({
      from: at(0),
      to: at(HOUR_MS),
      components: [""],
      resolution: Resolution.RAW,
    });
    expect(named[0]?.points).toHaveLength(2);
  });

  test("that the service had no time for before its samples are too old are computed yet", async () => {
    const samples = someSamples();
    await fixture.client.reportMetrics({ samples: samples.map(toInit) });
    // It was away, and comes back: one round goes before the other.
    const keep = { raw: HOUR_MS, minute: 720 * HOUR_MS, hour: 720 * HOUR_MS };
    const log = { info: () => {}, warn: () => {} };
    const { signal } = new AbortController();
    const round = () =>
      keepStorage({ storage: storage(fixture.db), keepMs: keep, batchSize: 1000, log }, signal);
    const left = async () => (await fixture.db.query("SELECT FROM system_metrics")).rows.length;
    await round();
    await computeAll();
    expect(pointsOf((await cpuSeries(Resolution.HOUR))[0])).toEqual(expected(samples, HOUR_MS));
    expect(pointsOf((await cpuSeries(Resolution.MINUTE))[0])).toEqual(expected(samples, MINUTE_MS));
    expect(await left()).toBe(samples.length);
    await round();
    expect(await left()).toBe(0);
  });

  test("outlive their samples, and a sample that comes after those went does not spoil them", async () => {
    const samples = someSamples();
    await fixture.client.reportMetrics({ samples: samples.map(toInit) });
    await computeAll();
    const keep = { raw: HOUR_MS, minute: 720 * HOUR_MS, hour: 720 * HOUR_MS };
    const log = { info: () => {}, warn: () => {} };
    const { signal } = new AbortController();
    await keepStorage({ storage: storage(fixture.db), keepMs: keep, batchSize: 1000, log }, signal);
    const { rows } = await fixture.db.query<{ n: number }>("SELECT count(*)::int AS n FROM system_metrics");
    expect(rows[0]?.n).toBe(0);
    await fixture.client.reportMetrics({ samples: [toInit({ ms: 1000, value: 1e6 })] });
    expect(pointsOf((await cpuSeries(Resolution.HOUR))[0])).toEqual(expected(samples, HOUR_MS));
    await computeAll();
    expect(pointsOf((await cpuSeries(Resolution.HOUR))[0])).toEqual(expected(samples, HOUR_MS));
    expect(pointsOf((await cpuSeries(Resolution.MINUTE))[0])).toEqual(expected(samples, MINUTE_MS));
  });
});

describe("QueryHistory", () => {
  test("gaps stay gaps, values that nobody measured make no series, and sources are told where they agree", async () => {
    await fixture.client.reportMetrics({
      samples: [
        { component: "b", timestamp: at(0), cpuUsage: 1, cpuSource: MetricSource.CGROUP2 },
        { component: "b", timestamp: at(10 * MINUTE_MS), cpuUsage: 3, cpuSource: MetricSource.CGROUP2 },
        {
          component: "b",
          instance: "2",
          timestamp: at(0),
          memoryUsageMb: 5,
          memorySource: MetricSource.HOST,
        },
        {
          component: "b",
          instance: "2",
          timestamp: at(1),
          memoryUsageMb: 7,
          memorySource: MetricSource.PROCESS,
        },
        { component: "a", timestamp: at(MINUTE_MS), gpuMemoryMb: 0 },
      ],
    });
    for (const resolution of [Resolution.RAW, Resolution.MINUTE]) {
      const { series } = await fixture.client.queryHistory({ from: at(0), to: at(HOUR_MS), resolution });
      expect(
        series.map(({ component, instance, metric, source, points }) => [
          component,
          instance,
          metric,
          source,
          points.map(({ timestamp }) => timestampMs(timestamp as Timestamp) - HOUR),
        ]),
      ).toEqual([
        ["a", "", MetricName.GPU_MEMORY, MetricSource.HOST, [MINUTE_MS]],
        ["b", "", MetricName.CPU_USAGE, MetricSource.CGROUP2, [0, 10 * MINUTE_MS]],
        [
          "b",
          "2",
          MetricName.MEMORY_USAGE,
          MetricSource.UNSPECIFIED,
          resolution === Resolution.RAW ? [0, 1] : [0],
        ],
      ]);
    }
    const { series } = await fixture.client.queryHistory({
      from: at(0),
      to: at(HOUR_MS),
      components: ["b"],
      metrics: [MetricName.MEMORY_USAGE],
    });
    expect(series.map(({ instance }) => instance)).toEqual(["2"]);
  });

  test("a sample without a value has no say in where values are from", async () => {
    await fixture.client.reportMetrics({
      samples: [
        { component: "b", timestamp: at(0), cpuUsage: 1, cpuSource: MetricSource.CGROUP2 },
        { component: "b", timestamp: at(1), diskUsageMb: 5 },
        { component: "c", timestamp: at(0), cpuUsage: 1, cpuSource: MetricSource.CGROUP2 },
        { component: "c", timestamp: at(1), cpuUsage: 5 },
      ],
    });
    for (const resolution of [Resolution.RAW, Resolution.MINUTE]) {
      const { series } = await fixture.client.queryHistory({
        from: at(0),
        to: at(HOUR_MS),
        metrics: [MetricName.CPU_USAGE],
        resolution,
      });
      expect(series.map(({ component, source }) => [component, source])).toEqual([
        ["b", MetricSource.CGROUP2],
        ["c", MetricSource.UNSPECIFIED],
      ]);
    }
  });

  test("chooses the finest resolution with at most 1,000 points a series", async () => {
    await fixture.db.query(
      `INSERT INTO system_metrics (component, timestamp, cpu_usage)
       SELECT c, to_timestamp($1) + i * INTERVAL '5 seconds', i FROM generate_series(0, 1999) i, unnest(ARRAY['x', 'y']) c`,
      [HOUR / 1000],
    );
    const chosen = async (fromMs: number, toMs: number): Promise<Resolution> =>
      (await fixture.client.queryHistory({ from: at(fromMs), to: at(toMs) })).resolution;
    // Before and after the minutes are computed.
    for (let i = 0; i < 2; i++) {
      expect(await chosen(0, 5000 * 1000)).toBe(Resolution.RAW);
      expect(await chosen(0, 5000 * 1001)).toBe(Resolution.MINUTE);
      expect(await chosen(-30 * 24 * HOUR_MS, 3 * HOUR_MS)).toBe(Resolution.MINUTE);
      await computeAll();
    }
    await fixture.db.query(
      `INSERT INTO system_metrics_minutes (component, instance, bucket, samples, cpu_usage_count, memory_usage_mb_count,
              disk_usage_mb_count, gpu_memory_mb_count, active_connections_count, event_loop_lag_ms_count)
       SELECT 'x', '', to_timestamp($1) - i * INTERVAL '1 minute', 1, 1, 0, 0, 0, 0, 0 FROM generate_series(1, 1000) i`,
      [HOUR / 1000],
    );
    expect(await chosen(-1001 * MINUTE_MS, 3 * HOUR_MS)).toBe(Resolution.HOUR);
  });

  test("counts points of the quantities that were asked for, and no others", async () => {
    await fixture.client.reportMetrics({
      samples: [
        ...Array.from({ length: 10 }, (_, i) => toInit({ ms: MINUTE_MS * i, value: i })),
        { component: "embedding", instance: "a", timestamp: at(5), gpuMemoryMb: 7 },
      ],
    });
    for (const resolution of [Resolution.RAW, Resolution.MINUTE, Resolution.HOUR]) {
      const query = {
        from: at(0),
        to: at(HOUR_MS),
        metrics: [MetricName.GPU_MEMORY],
        maxPoints: 1,
        resolution,
      };
      const { series } = await fixture.client.queryHistory(query);
      expect(series.map(({ metric, points }) => [metric, points[0]?.avg])).toEqual([
        [MetricName.GPU_MEMORY, 7],
      ]);
    }
  });

  test("refuses more points than asked for, or takes a coarser resolution where it may choose", async () => {
    await fixture.client.reportMetrics({
      samples: Array.from({ length: 10 }, (_, i) => toInit({ ms: 1000 * i, value: i })),
    });
    const query = { from: at(0), to: at(HOUR_MS), maxPoints: 9 };
    await expect(fixture.client.queryHistory({ ...query, resolution: Resolution.RAW })).rejects.toMatchObject(
      { kind: "invalid-argument", violations: [{ field: "max_points" }] },
    );
    const { resolution, series } = await fixture.client.queryHistory(query);
    expect([resolution, series[0]?.points.length]).toEqual([Resolution.MINUTE, 1]);
    const ten = await fixture.client.queryHistory({ ...query, maxPoints: 10, resolution: Resolution.RAW });
    expect(ten.series[0]?.points).toHaveLength(10);
  });

  test("the last hour of all times can be told", async () => {
    const to = { seconds: 253_402_300_799n, nanos: 999_999_999 };
    const answer = await fixture.client.queryHistory({ hours: 1, to, resolution: Resolution.HOUR });
    expect(toJson(QueryHistoryResponseSchema, answer)).toMatchObject({ to: "9999-12-31T23:59:59.999999Z" });
  });

  test("the end of a period is not in it, and periods side by side have every sample once", async () => {
    await fixture.client.reportMetrics({
      samples: [0, 1, 2, 3].map((i) => toInit({ ms: i * 1000, value: i })),
    });
    const values = async (fromMs: number, toMs: number): Promise<number[]> => {
      const { series } = await fixture.client.queryHistory({
        from: at(fromMs),
        to: at(toMs),
        resolution: Resolution.RAW,
      });
      return series[0]?.points.map(({ avg }) => avg) ?? [];
    };
    expect(await values(0, 2000)).toEqual([0, 1]);
    expect(await values(2000, 3001)).toEqual([2, 3]);
  });
});
