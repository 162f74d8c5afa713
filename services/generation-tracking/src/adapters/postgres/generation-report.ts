import type { Database } from "@kindred/postgres";
import { invalidField } from "@kindred/errors";
import type { PoolClient } from "pg";
import {
  GENERATION_STATUSES,
  type GenerationStatistics,
  type GenerationStatus,
} from "../../domain/generation.ts";
import type {
  Distribution,
  GenerationReport,
  GenerationSummary,
  ReportInterval,
  ReportQuery,
} from "../../domain/report.ts";
import type { CallLimits } from "../../domain/operations/operation.ts";
import { filterCondition } from "./generation-filter.ts";
import { epochMicros } from "./generation-entity.ts";
import { sqlParameters } from "./sql-parameters.ts";

/** One statement, and so one snapshot: the figures agree with each other. An index has all that it reads. */
const STATISTICS = `
  SELECT status, count(*) AS count, count(*) FILTER (WHERE created_at >= now() - INTERVAL '24 hours') AS recent,
         count(generation_time_ms) AS timed, COALESCE(sum(generation_time_ms), 0) AS sum_ms
    FROM generations GROUP BY status`;

export async function generationStatistics(
  db: Pick<Database, "statement">,
  limits: CallLimits,
): Promise<GenerationStatistics> {
  const { rows } = await db.statement<{
    status: GenerationStatus;
    count: string;
    recent: string;
    timed: string;
    sum_ms: string;
  }>({ text: STATISTICS, values: [] }, { readOnly: true, ...limits });
  const completed = rows.find((row) => row.status === "completed");
  return {
    total: rows.reduce((sum, row) => sum + BigInt(row.count), 0n),
    recent: rows.reduce((sum, row) => sum + BigInt(row.recent), 0n),
    averageTimeMs:
      completed && completed.timed !== "0" ? Number(completed.sum_ms) / Number(completed.timed) : undefined,
    byStatus: GENERATION_STATUSES.map((status) => ({
      status,
      count: BigInt(rows.find((row) => row.status === status)?.count ?? 0),
    })),
  };
}

/** Most that spans may reach over, and steps of which at least one is in each of them, whatever clocks are put forward or back. */
const SPANS: Readonly<Record<ReportInterval, { days: number; step: string; wider: string }>> = {
  hour: { days: 31, step: "15 minutes", wider: "hours of at most 31 days, or days" },
  day: { days: 3_653, step: "6 hours", wider: "days of at most 10 years" },
};

/** Sorting a million rows by their models takes some 70 MB; what is more goes to temporary files. */
const WORK_MEM = "128MB";

/** See GenerationLists.report. */
export function generationReport(
  db: Database,
  query: ReportQuery,
  limits: CallLimits,
): Promise<GenerationReport> {
  return db.transaction(
    async (client) => {
      const bounds = await boundsOf(client, query);
      const starts = query.interval ? await spanStarts(client, query, query.interval, bounds) : [];
      return await gather(client, query, starts, bounds.asOf);
    },
    { isolation: "repeatable read", readOnly: true, ...limits, settings: { work_mem: WORK_MEM } },
  );
}

interface Bounds {
  /** As text, exact to the microsecond; null when nothing matches. */
  first: string | null;
  last: string | null;
  days: number;
  asOf: bigint;
}

async function boundsOf(client: PoolClient, { filter }: ReportQuery): Promise<Bounds> {
  const parameters = sqlParameters();
  const { rows } = await client.query<{
    first: string | null;
    last: string | null;
    days: number | null;
    as_of: string;
  }>(
    `SELECT first::text, last::text, (extract(epoch FROM last - first) / 86400)::float8 AS days, ${epochMicros("now()")} AS as_of
       FROM (SELECT min(created_at) AS first, max(created_at) AS last FROM generations
              WHERE ${filterCondition(filter, parameters)}) AS bounds`,
    parameters.values,
  );
  const [row] = rows;
  return {
    first: row?.first ?? null,
    last: row?.last ?? null,
    days: row?.days ?? 0,
    asOf: BigInt(row?.as_of ?? 0),
  };
}

/** Where spans begin, from that of the first to that of the last generation, in microseconds. */
async function spanStarts(
  client: PoolClient,
  { timeZone }: ReportQuery,
  interval: ReportInterval,
  { first, last, days }: Bounds,
): Promise<bigint[]> {
  if (first === null) return [];
  if (days > SPANS[interval].days) {
    throw invalidField(
      "interval",
      `must be ${SPANS[interval].wider}; the generations that match are from ${Math.ceil(days)} days: narrow them by filter.created_after and filter.created_before`,
    );
  }
  const { rows } = await client.query<{ start: string }>(
    `SELECT DISTINCT ${epochMicros("date_trunc($1, instant, $2)")} AS start
       FROM (SELECT generate_series($3::timestamptz, $4::timestamptz, $5::interval) AS instant
             UNION ALL SELECT $4::timestamptz) AS instants
      ORDER BY start`,
    [interval, timeZone, first, last, SPANS[interval].step],
  );
  return rows.map(({ start }) => BigInt(start));
}

const QUANTILES = [0, 0.5, 0.95, 0.99, 1];

const distributionOf = (column: string, name: string): string => `
  count(${column}) AS ${name}_count, avg(${column})::float8 AS ${name}_average,
  percentile_cont('{${QUANTILES.join(",")}}'::float8[]) WITHIN GROUP (ORDER BY ${column}) AS ${name}_quantiles`;

const COUNTS = GENERATION_STATUSES.map(
  (status) => `count(*) FILTER (WHERE status = '${status}') AS ${status}`,
).join(", ");

interface GroupRow extends Record<GenerationStatus, string> {
  /** What the row is of; of all of them, where it is none of these. */
  of_model: boolean;
  of_span: boolean;
  model: string | null;
  span: string | null;
  count: string;
  first: string | null;
  last: string | null;
  time_count: string;
  time_average: number | null;
  time_quantiles: number[] | null;
  memory_count: string;
  memory_average: number | null;
  memory_quantiles: number[] | null;
}

async function gather(
  client: PoolClient,
  query: ReportQuery,
  starts: readonly bigint[],
  asOfMicros: bigint,
): Promise<GenerationReport> {
  const { interval, models } = query;
  const rows = await groups(client, query, interval ? ["model", "span"] : ["model"], "true");
  // Few among many: the index finds them at once.
  const recent = await groups(client, query, [], "created_at >= now() - INTERVAL '24 hours'");
  const ofSpans = rows.filter((row) => row.of_span);
  const bySpan = new Map(ofSpans.map((row) => [BigInt(row.span ?? 0), summaryOf(row)]));
  return {
    all: summaryOf(rows.find((row) => !row.of_model && !row.of_span)),
    last24Hours: summaryOf(recent[0]),
    spans: starts.map((startMicros) => ({
      startMicros,
      summary: bySpan.get(startMicros) ?? summaryOf(undefined),
    })),
    byModel: rows
      .filter((row) => row.of_model)
      .map((row) => ({ modelName: row.model ?? "", summary: summaryOf(row) }))
      .toSorted(
        (a, b) =>
          Number(b.summary.count - a.summary.count) ||
          (a.modelName < b.modelName ? -1 : Number(a.modelName > b.modelName)),
      )
      .slice(0, models),
    asOfMicros,
  };
}

/** The figures of all that match and fulfil the condition, and of each of their models and spans. */
async function groups(
  client: PoolClient,
  { filter, interval, timeZone }: ReportQuery,
  by: readonly ("model" | "span")[],
  condition: string,
): Promise<GroupRow[]> {
  const parameters = sqlParameters();
  const expressions = {
    model: () => "COALESCE(model_name, '')",
    span: () => `date_trunc(${parameters.add(interval)}, created_at, ${parameters.add(timeZone)})`,
  };
  const isOf = (name: "model" | "span"): string => (by.includes(name) ? `GROUPING(${name}) = 0` : "false");
  const { rows } = await client.query<GroupRow>(
    `SELECT ${isOf("model")} AS of_model, ${isOf("span")} AS of_span,
            ${by.includes("model") ? "model" : "NULL AS model"},
            ${by.includes("span") ? epochMicros("span") : "NULL"} AS span,
            count(*) AS count, ${COUNTS},
            ${epochMicros("min(created_at)")} AS first, ${epochMicros("max(created_at)")} AS last,
            ${distributionOf("time_ms", "time")}, ${distributionOf("memory_mb", "memory")}
       FROM (SELECT status, created_at, ${by.map((name) => `${expressions[name]()} AS ${name}, `).join("")}
                    CASE status WHEN 'completed' THEN generation_time_ms END AS time_ms,
                    CASE status WHEN 'completed' THEN memory_usage_mb END AS memory_mb
               FROM generations WHERE ${condition} AND ${filterCondition(filter, parameters)}) AS g
      GROUP BY GROUPING SETS (${["()", ...by.map((name) => `(${name})`)].join(", ")})`,
    parameters.values,
  );
  return rows;
}

/** @param row undefined: of no generation */
function summaryOf(row: GroupRow | undefined): GenerationSummary {
  return {
    count: BigInt(row?.count ?? 0),
    byStatus: GENERATION_STATUSES.map((status) => ({ status, count: BigInt(row?.[status] ?? 0) })).filter(
      ({ count }) => count > 0n,
    ),
    generationTimeMs: distribution(row?.time_count, row?.time_average, row?.time_quantiles),
    memoryUsageMb: distribution(row?.memory_count, row?.memory_average, row?.memory_quantiles),
    firstMicros: micros(row?.first),
    lastMicros: micros(row?.last),
  };
}

function micros(text: string | null | undefined): bigint | undefined {
  return text === null || text === undefined ? undefined : BigInt(text);
}

function distribution(
  count: string | undefined,
  average: number | null | undefined,
  quantiles: readonly number[] | null | undefined,
): Distribution {
  const [min, p50, p95, p99, max] = quantiles ?? [];
  if (
    typeof average !== "number" ||
    min === undefined ||
    p50 === undefined ||
    p95 === undefined ||
    p99 === undefined ||
    max === undefined
  )
    return { count: 0n, figures: undefined };
  return { count: BigInt(count ?? 0), figures: { average, min, p50, p95, p99, max } };
}
