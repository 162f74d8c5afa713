import { ALL_QUANTITIES, QUANTITIES } from "../../domain/sample.ts";
import type { RollupResolution } from "../../domain/rollups.ts";

export const ROLLUP_TABLES: Readonly<Record<RollupResolution, string>> = {
  minute: "system_metrics_minutes",
  hour: "system_metrics_hours",
};

const STATISTICS = ["avg", "min", "max", "p95", "count"] as const;
const columns = ALL_QUANTITIES.map((name) => QUANTITIES[name]);

/** Everything that a rollup's row has behind its component, instance and bucket. */
export const ROLLUP_COLUMNS = [
  "samples",
  ...columns.flatMap((column) => STATISTICS.map((statistic) => `${column}_${statistic}`)),
  "cpu_source",
  "memory_source",
];

/** The source that all samples with a value have in common. */
const commonSource = (source: string, value: string): string => {
  const withValue = `FILTER (WHERE ${value} IS NOT NULL)`;
  return `CASE WHEN count(${source}) ${withValue} = count(${value})
                THEN CASE WHEN min(${source}) ${withValue} = max(${source}) ${withValue} THEN min(${source}) ${withValue} END END`;
};

/** ROLLUP_COLUMNS from samples. 95 % of the values are no greater than p95, which is one of them. */
export const AGGREGATES = [
  "count(*)",
  ...columns.flatMap((column) => [
    `avg(${column})::float8`,
    `min(${column})::float8`,
    `max(${column})::float8`,
    `percentile_disc(0.95) WITHIN GROUP (ORDER BY ${column})::float8`,
    `count(${column})`,
  ]),
  commonSource("cpu_source", QUANTITIES.cpuUsage),
  commonSource("memory_source", QUANTITIES.memoryUsageMb),
].join(", ");

/** The samples of a row `b (bucket, component)`; those that were written without a component are the component ''. */
export function samplesOfBucket(resolution: RollupResolution, bounds: string): string {
  const columnsNeeded = ["instance", ...columns, "cpu_source", "memory_source"].join(", ");
  const period = `timestamp >= b.bucket AND timestamp < b.bucket + INTERVAL '1 ${resolution}' AND ${bounds}`;
  return `LATERAL (
    SELECT ${columnsNeeded} FROM system_metrics WHERE component = b.component AND ${period}
     UNION ALL
    SELECT ${columnsNeeded} FROM system_metrics WHERE b.component = '' AND component IS NULL AND ${period}) AS s`;
}
