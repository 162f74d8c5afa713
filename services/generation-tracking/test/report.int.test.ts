import { timestampDate, timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, test } from "@jest/globals";
import {
  GenerationStatus,
  ReportInterval,
  type GenerationSummary,
} from "@kindred/contracts/generation-tracking/v1";
import type { PoolClient } from "pg";
import { useFixture } from "./use-fixture.ts";

const BATCH = 10_000;
/** Of a server that takes more than some thousand rows a second. */
const ALL_ROWS = 100_000;
let rowCount = ALL_ROWS;
const ZONE = "Europe/Berlin";

const fixture = useFixture({ clear: false });

/** The same rows each time, up to their ages: a hash of the number decides. They reach from 40 days ago to now, with a hole of 5 days. */
const FILL = `
  INSERT INTO generations (prompt, status, created_at, model_name, generation_time_ms, memory_usage_mb)
  SELECT 'x', (ARRAY['completed', 'completed', 'completed', 'failed', 'cancelled'])[1 + h % 5],
         now() - CASE WHEN minutes BETWEEN 14400 AND 21600 THEN 14400 ELSE minutes END * INTERVAL '1 minute' - (h % 997) * INTERVAL '1 microsecond',
         CASE h % 11 WHEN 0 THEN NULL ELSE 'model-' || (h / 7 % 13) END,
         CASE WHEN h % 17 > 0 THEN 1 + h / 3 % 20000 END, CASE WHEN h % 19 > 0 THEN (h / 5 % 100000) / 16.0 END
    FROM (SELECT abs(hashint4(i)::bigint) AS h, abs(hashint4(i + 1)::bigint) % 57600 AS minutes FROM generate_series($1::int, $2::int) i) AS t`;

/** Groups of rows, in figures: without aggregates that the service uses, by counting rows in their order. */
const INDEPENDENT = (group: string, where: string): string => `
  WITH chosen AS (SELECT (${group})::text AS grp, status, created_at, generation_time_ms AS t, memory_usage_mb AS m FROM generations WHERE ${where}),
  counted AS (
    SELECT grp, sum(1) AS count, sum((status = 'completed')::int) AS completed, sum((status = 'failed')::int) AS failed,
           sum((status = 'cancelled')::int) AS cancelled, max(extract(epoch FROM created_at)) - min(extract(epoch FROM created_at)) AS seconds
      FROM chosen GROUP BY grp),
  placed AS (
    SELECT grp, what, v, row_number() OVER (PARTITION BY grp, what ORDER BY v) - 1 AS place, sum(1) OVER (PARTITION BY grp, what) AS n
      FROM (SELECT grp, 't' AS what, t::float8 AS v FROM chosen WHERE status = 'completed' AND t IS NOT NULL
            UNION ALL SELECT grp, 'm', m FROM chosen WHERE status = 'completed' AND m IS NOT NULL) AS numbers),
  figures AS (
    SELECT grp, what, max(n)::int AS n, sum(v) / max(n) AS average, max(v) FILTER (WHERE place = 0) AS min, max(v) FILTER (WHERE place = n - 1) AS max,
           ${[0.5, 0.95, 0.99]
             .map(
               (p) =>
                 `sum(v * CASE WHEN place = floor(${p} * (n - 1)) THEN 1 - (${p} * (n - 1) - floor(${p} * (n - 1)))
                                WHEN place = floor(${p} * (n - 1)) + 1 THEN ${p} * (n - 1) - floor(${p} * (n - 1)) ELSE 0 END) AS p${100 * p}`,
             )
             .join(", ")}
      FROM placed GROUP BY grp, what)
  SELECT counted.grp, counted.count::int, completed::int, failed::int, cancelled::int, seconds::float8,
         (SELECT to_jsonb(f) FROM figures f WHERE f.grp IS NOT DISTINCT FROM counted.grp AND what = 't') AS t,
         (SELECT to_jsonb(f) FROM figures f WHERE f.grp IS NOT DISTINCT FROM counted.grp AND what = 'm') AS m
    FROM counted`;

interface Figures {
  n: number;
  average: number;
  min: number;
  max: number;
  p50: number;
  p95: number;
  p99: number;
}

interface Group {
  grp: string;
  count: number;
  completed: number;
  failed: number;
  cancelled: number;
  seconds: number;
  t: Figures | null;
  m: Figures | null;
}

/** Computing in a roundabout way takes its time. */
function unlimited<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
  return fixture.db.transaction(work, { timeoutMs: 0 });
}

async function independently(group: string, where = "true"): Promise<Group[]> {
  return await unlimited(async (client) => (await client.query<Group>(INDEPENDENT(group, where))).rows);
}

/** Exact but for the last bits of a double: sums are made in another order. */
const close = (value: number): unknown =>
  expect.closeTo(value, value === 0 ? 9 : 9 - Math.ceil(Math.log10(Math.abs(value))));

function distributionOf(figures: Figures | null): object {
  if (!figures) return { count: 0n };
  const { n, ...others } = figures;
  const known = (["average", "min", "p50", "p95", "p99", "max"] as const).map((name) => [
    name,
    close(others[name]),
  ]);
  return { count: BigInt(n), ...Object.fromEntries(known) };
}

function summaryOf(group: Group): object {
  const { count, completed, failed, cancelled, seconds } = group;
  const statuses = [
    [GenerationStatus.COMPLETED, completed],
    [GenerationStatus.FAILED, failed],
    [GenerationStatus.CANCELLED, cancelled],
  ].filter(([, n]) => n !== 0);
  return {
    count: BigInt(count),
    byStatus: statuses.map(([status, n]) => ({ status, count: BigInt(n as number) })),
    generationTimeMs: distributionOf(group.t),
    memoryUsageMb: distributionOf(group.m),
    ...(completed + failed > 0 && { failureRate: close(failed / (completed + failed)) }),
    ...(count > 1 && seconds > 0 && { perHour: close(count / (seconds / 3_600)) }),
  };
}

/** Without what messages have beside their fields, and without what is not set. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, inner]) => !name.startsWith("$") && inner !== undefined)
      .map(([name, inner]) => [name, plain(inner)]),
  );
}

const plainSummary = (summary: GenerationSummary | undefined): unknown => plain(summary);
const isoOf = (time: Timestamp | undefined): string => (time ? timestampDate(time).toISOString() : "");

describe(`with ${ALL_ROWS} generations`, () => {
  beforeAll(async () => {
    await fixture.clear();
    if (!fixture.db.capabilities.copy) {
      rowCount = BATCH;
      process.stdout.write(`not run: ${ALL_ROWS} rows take too long here; ${BATCH} it is\n`);
    }
    for (let from = 1; from <= rowCount; from += BATCH)
      await unlimited((client) => client.query(FILL, [from, from + BATCH - 1]));
    await fixture.db.query("ANALYZE generations");
  }, 600_000);

  test("GetStatistics is what an independent statement computes", async () => {
    const [all] = await independently("1");
    const [recent] = await independently("1", "created_at >= now() - INTERVAL '24 hours'");
    const statistics = await fixture.client.getStatistics({});
    expect(statistics).toMatchObject({
      totalGenerations: BigInt(rowCount),
      avgGenerationTimeMs: close(all?.t?.average ?? 0),
    });
    // The clock goes on between the two.
    expect(Math.abs(Number(statistics.recentGenerations) - (recent?.count ?? 0))).toBeLessThanOrEqual(20);
    expect(statistics.byStatus.map(({ count }) => Number(count))).toEqual([
      all?.completed,
      all?.failed,
      all?.cancelled,
      0,
    ]);
  });

  test("GetReport is what an independent statement computes: all, by model, by day of a time zone", async () => {
    const report = await fixture.client.getReport({
      interval: ReportInterval.DAY,
      timeZone: ZONE,
      models: 1_000,
    });
    const [all] = await independently("1");
    expect(plainSummary(report.all)).toEqual(summaryOf(all as Group));

    const models = await independently("coalesce(model_name, '')");
    const expected = models.toSorted((a, b) => b.count - a.count || (a.grp < b.grp ? -1 : 1));
    expect(report.byModel.map(({ modelName }) => modelName)).toEqual(expected.map(({ grp }) => grp));
    expect(report.byModel.map(({ summary }) => plainSummary(summary))).toEqual(expected.map(summaryOf));

    const days = await independently(`(created_at AT TIME ZONE '${ZONE}')::date`);
    const dayOf = (time: Timestamp | undefined): string =>
      new Date(isoOf(time)).toLocaleDateString("sv-SE", { timeZone: ZONE });
    const byDay = new Map(days.map((group) => [group.grp, group]));
    expect(report.spans.length).toBeGreaterThanOrEqual(40);
    for (const { start, summary } of report.spans) {
      const group = byDay.get(dayOf(start));
      expect(plainSummary(summary)).toEqual(
        group
          ? summaryOf(group)
          : { count: 0n, byStatus: [], generationTimeMs: { count: 0n }, memoryUsageMb: { count: 0n } },
      );
    }
    // Each day once, one after the other, also those without any.
    const starts = report.spans.map(({ start }) => dayOf(start));
    expect(starts).toEqual([...new Set(starts)].toSorted());
    expect(starts.filter((day) => !byDay.has(day)).length).toBeGreaterThanOrEqual(3);
    expect(byDay.size + starts.filter((day) => !byDay.has(day)).length).toBe(starts.length);
  });

  test("a filtered report by the hour, and its last 24 hours", async () => {
    const cut = new Date(Date.now() - 9 * 86_400_000);
    const report = await fixture.client.getReport({
      interval: ReportInterval.HOUR,
      filter: { modelName: ["model-3", "model-4"], createdAfter: timestampFromMs(cut.getTime()) },
      models: 1,
    });
    const where = `model_name IN ('model-3', 'model-4') AND created_at >= '${cut.toISOString()}'`;
    const [all] = await independently("1", where);
    expect(plainSummary(report.all)).toEqual(summaryOf(all as Group));
    expect(report.byModel).toHaveLength(1);
    const asOf = isoOf(report.asOf);
    const [recent] = await independently(
      "1",
      `${where} AND created_at >= '${asOf}'::timestamptz - INTERVAL '24 hours'`,
    );
    expect(Number(report.last24Hours?.count)).toBe(recent?.count);
    const hours = await independently("date_trunc('hour', created_at, 'UTC')", where);
    expect(
      report.spans.filter(({ summary }) => summary?.count !== 0n).map(({ summary }) => plainSummary(summary)),
    ).toEqual(hours.toSorted((a, b) => (a.grp < b.grp ? -1 : 1)).map(summaryOf));
    const starts = report.spans.map(({ start }) => Date.parse(isoOf(start)));
    expect(starts).toEqual(starts.map((_, i) => (starts[0] as number) + i * 3_600_000));
  });
});

describe("spans", () => {
  const record = async (...times: string[]): Promise<void> => {
    await fixture.clear();
    await fixture.db.query(
      "INSERT INTO generations (prompt, created_at) SELECT 'x', unnest($1::timestamptz[])",
      [times],
    );
  };
  const spans = async (interval: ReportInterval, timeZone: string): Promise<[string, number][]> => {
    const report = await fixture.client.getReport({ interval, timeZone });
    return report.spans.map(({ start, summary }) => [isoOf(start), Number(summary?.count)]);
  };

  test("hours when clocks are put back are two of the same name", async () => {
    await record("2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z", "2025-10-26T03:30:00Z");
    expect(await spans(ReportInterval.HOUR, ZONE)).toEqual([
      ["2025-10-26T00:00:00.000Z", 1],
      ["2025-10-26T01:00:00.000Z", 1],
      ["2025-10-26T02:00:00.000Z", 0],
      ["2025-10-26T03:00:00.000Z", 1],
    ]);
  });

  test("days have 23 and 25 hours when clocks change, and begin where the zone's do", async () => {
    await record("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "2026-03-31T12:00:00Z");
    expect(await spans(ReportInterval.DAY, ZONE)).toEqual([
      ["2026-03-27T23:00:00.000Z", 1],
      ["2026-03-28T23:00:00.000Z", 1],
      ["2026-03-29T22:00:00.000Z", 0],
      ["2026-03-30T22:00:00.000Z", 1],
    ]);
  });

  test("zones may be off by half an hour, and change by one", async () => {
    // Lord Howe Island: from +11:00 to +10:30 at 2026-04-04T15:00Z.
    await record("2026-04-04T13:20:00Z", "2026-04-04T17:10:00Z");
    expect(await spans(ReportInterval.HOUR, "Australia/Lord_Howe")).toEqual([
      ["2026-04-04T13:00:00.000Z", 1],
      ["2026-04-04T14:00:00.000Z", 0],
      ["2026-04-04T14:30:00.000Z", 0],
      ["2026-04-04T15:30:00.000Z", 0],
      ["2026-04-04T16:30:00.000Z", 1],
    ]);
  });

  test("are refused where they are too many", async () => {
    await record("2025-01-01T00:00:00Z", "2025-02-02T00:00:00Z");
    await expect(spans(ReportInterval.HOUR, "")).rejects.toMatchObject({
      kind: "invalid-argument",
      violations: [{ field: "interval" }],
    });
    expect(await spans(ReportInterval.DAY, "")).toHaveLength(33);
    await record("2014-01-01T00:00:00Z", "2025-02-02T00:00:00Z");
    await expect(spans(ReportInterval.DAY, "")).rejects.toMatchObject({
      violations: [{ field: "interval" }],
    });
  });

  test("of nothing there are none", async () => {
    await fixture.clear();
    const report = await fixture.client.getReport({ interval: ReportInterval.DAY });
    expect(report).toMatchObject({ spans: [], byModel: [], all: { count: 0n }, last24Hours: { count: 0n } });
    expect(report.all?.generationTimeMs?.count).toBe(0n);
    expect(report.all?.generationTimeMs?.average).toBeUndefined();
  });

  test.each(["Mars/Olympus", "+02:00", "UTC; DROP TABLE generations"])(
    "there is no time zone %j",
    async (timeZone) => {
      await expect(fixture.client.getReport({ timeZone })).rejects.toMatchObject({
        violations: [{ field: "time_zone" }],
      });
    },
  );
});
