import type { Database } from "@kindred/postgres";
import {
  type HistoryRow,
  type HistoryStore,
  type Period,
  type Point,
  type Resolution,
} from "../../domain/query-history.ts";
import type { RollupResolution } from "../../domain/rollups.ts";
import { ALL_QUANTITIES, QUANTITIES, type MetricSource, type Quantity } from "../../domain/sample.ts";
import { AGGREGATES, ROLLUP_COLUMNS, ROLLUP_TABLES, samplesOfBucket } from "./rollup-sql.ts";

type Value = number | string | null;
type Row = { component: string; instance: string; micros: string; cpu_source: MetricSource | null } & {
  memory_source: MetricSource | null;
} & Record<string, Value>;

const micros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint AS micros`;
const at = (parameter: number): string =>
  `(TIMESTAMPTZ 'epoch' + $${parameter}::bigint * INTERVAL '1 microsecond')`;
/** $1 from, $2 to, $3 components, NULL for all of them. */
const within = (time: string): string => `${time} >= ${at(1)} AND ${time} < ${at(2)}`;
const ofComponents = (component: string): string => `($3::text[] IS NULL OR ${component} = ANY ($3::text[]))`;

/** What has a value of one of the quantities. */
const measured = (resolution: Resolution, quantities: readonly Quantity[]): string =>
  resolution === "raw"
    ? `num_nonnulls(${quantities.map((name) => QUANTITIES[name]).join(", ")}) > 0`
    : `(${quantities.map((name) => `${QUANTITIES[name]}_count > 0`).join(" OR ")})`;

const RAW = (components: boolean, quantities: readonly Quantity[]): string => `
  SELECT COALESCE(component, '') AS component, instance, ${micros("timestamp")},
         ${ALL_QUANTITIES.map((name) => QUANTITIES[name]).join(", ")}, cpu_source, memory_source
    FROM system_metrics
   WHERE ${within("timestamp")} AND ${measured("raw", quantities)} AND ${components ? "(component = ANY ($3::text[]) OR ('' = ANY ($3::text[]) AND component IS NULL))" : "$3::text[] IS NULL"}
   ORDER BY 1, 2, timestamp, id
   LIMIT $4`;

/**
 * Minutes or hours that are computed, but for those that are due again, and those that are due from their samples: one statement, and so one
 * view of the database. An hour is due with any of its minutes. Where samples may be missing, what was computed before counts.
 * The period has whole minutes or hours.
 */
const rolledSql = (resolution: RollupResolution, quantities: readonly Quantity[]): string => `
  WITH due AS MATERIALIZED (
    SELECT DISTINCT date_trunc('${resolution}', bucket, 'UTC') AS bucket, component FROM metric_rollups_due
     WHERE resolution ${resolution === "minute" ? "= 'minute'" : "IN ('minute', 'hour')"}
       AND ${within("bucket")}
       AND ${ofComponents("component")}
  ), current AS MATERIALIZED (
    SELECT * FROM due WHERE bucket >= (SELECT dropped_before FROM metric_horizons WHERE resolution = 'raw')
  )
  SELECT component, instance, ${micros("bucket")}, ${ROLLUP_COLUMNS.join(", ")}
    FROM (
      SELECT component, instance, bucket, ${ROLLUP_COLUMNS.join(", ")}
        FROM ${ROLLUP_TABLES[resolution]} AS r
       WHERE ${within("bucket")} AND ${ofComponents("component")}
         AND NOT EXISTS (SELECT FROM current AS c WHERE c.bucket = r.bucket AND c.component = r.component)
       UNION ALL
      SELECT b.component, s.instance, b.bucket, ${AGGREGATES}
        FROM current AS b
        JOIN ${samplesOfBucket(resolution, within("timestamp"))} ON true
       GROUP BY b.component, s.instance, b.bucket) AS points (component, instance, bucket, ${ROLLUP_COLUMNS.join(", ")})
   WHERE ${measured(resolution, quantities)}
   ORDER BY component, instance, bucket
   LIMIT $4`;

const longestSql = (resolution: "raw" | "minute", quantities: readonly Quantity[]): string => {
  const [table, time] =
    resolution === "raw" ? ["system_metrics", "timestamp"] : [ROLLUP_TABLES.minute, "bucket"];
  return `
  SELECT COALESCE(max(n), 0)::int AS longest, COALESCE(sum(n), 0)::int AS total
    FROM (SELECT count(*) AS n
            FROM (SELECT component, instance FROM ${table}
                   WHERE ${within(time)} AND ${ofComponents("component")} AND ${measured(resolution, quantities)} LIMIT $4) AS counted
           GROUP BY component, instance) AS counts`;
};

const HORIZON = `
  SELECT CASE WHEN isfinite(dropped_before) THEN (extract(epoch FROM dropped_before) * 1000000)::bigint END AS micros
    FROM metric_horizons WHERE resolution = $1`;

/** Histories over this service's schema. */
export function historyStore(db: Pick<Database, "query">): HistoryStore {
  return {
    async rows(resolution, { period, components, quantities, limit }) {
      const parameters = [...parametersOf(period, components), limit];
      const sql =
        resolution === "raw" ? RAW(components.length > 0, quantities) : rolledSql(resolution, quantities);
      const { rows } = await db.query<Row>(sql, parameters);
      return rows.map((row) => toHistoryRow(row, resolution));
    },
    async longestSeries(resolution, { period, components, quantities, limit }) {
      const { rows } = await db.query<{ longest: number; total: number }>(
        longestSql(resolution, quantities),
        [...parametersOf(period, components), limit],
      );
      const { longest, total } = rows[0] as { longest: number; total: number };
      return total < limit ? longest : undefined;
    },
    async horizonMicros(resolution) {
      const { rows } = await db.query<{ micros: string | null }>(HORIZON, [resolution]);
      const found = rows[0]?.micros ?? null;
      return found === null ? undefined : BigInt(found);
    },
  };
}

function parametersOf({ fromMicros, toMicros }: Period, components: readonly string[]): unknown[] {
  return [fromMicros.toString(), toMicros.toString(), components.length === 0 ? null : components];
}

function toHistoryRow(row: Row, resolution: Resolution): HistoryRow {
  const value = resolution === "raw" ? rawValue : rolledValue;
  const values = Object.fromEntries(
    ALL_QUANTITIES.map((name) => [name, value(row, QUANTITIES[name])]),
  ) as Record<Quantity, Omit<Point, "timestampMicros"> | undefined>;
  return {
    component: row.component,
    instance: row.instance,
    timestampMicros: BigInt(row.micros),
    cpuSource: row.cpu_source ?? undefined,
    memorySource: row.memory_source ?? undefined,
    values,
  };
}

function rawValue(row: Row, column: string): Omit<Point, "timestampMicros"> | undefined {
  const value = row[column] as number | null;
  return value === null ? undefined : { avg: value, min: value, max: value, p95: value, count: 1n };
}

function rolledValue(row: Row, column: string): Omit<Point, "timestampMicros"> | undefined {
  const count = BigInt(row[`${column}_count`] as string);
  if (count === 0n) return undefined;
  const of = (statistic: string): number => row[`${column}_${statistic}`] as number;
  return { avg: of("avg"), min: of("min"), max: of("max"), p95: of("p95"), count };
}
