import type { Database } from "@kindred/postgres";
import { ROLLUP_MS, type RollupResolution, type RollupStore } from "../../domain/rollups.ts";
import { AGGREGATES, ROLLUP_COLUMNS, ROLLUP_TABLES, samplesOfBucket } from "./rollup-sql.ts";

const LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('kindred/metrics/rollups', 0)) AS locked";

const PICK = `
  SELECT array_agg(bucket::text) AS buckets, array_agg(component) AS components,
         min(bucket)::text AS first, (max(bucket) + make_interval(secs => $2))::text AS last
    FROM (SELECT DISTINCT bucket, component FROM metric_rollups_due
           WHERE resolution = $1 AND bucket <= now() - make_interval(secs => $2) - make_interval(secs => $3)
           ORDER BY bucket, component LIMIT $4) AS picked`;

/**
 * One statement, and so one view of the database: a row that says that a minute is due is seen together with the samples that made it so, and
 * what is added meanwhile stays for the next time. Of minutes whose samples may be gone only the row goes.
 */
const computeSql = (resolution: RollupResolution): string => `
  WITH picked AS (
    SELECT bucket, component FROM unnest($1::timestamptz[], $2::text[]) AS u (bucket, component)
  ), struck AS (
    DELETE FROM metric_rollups_due d USING picked
     WHERE d.resolution = '${resolution}' AND d.bucket = picked.bucket AND d.component = picked.component
  ), computed AS (
    INSERT INTO ${ROLLUP_TABLES[resolution]} (component, instance, bucket, ${ROLLUP_COLUMNS.join(", ")})
    SELECT b.component, s.instance, b.bucket, ${AGGREGATES}
      FROM picked AS b
      JOIN ${samplesOfBucket(resolution, "timestamp >= $3::timestamptz AND timestamp < $4::timestamptz")} ON true
     WHERE b.bucket >= (SELECT dropped_before FROM metric_horizons WHERE resolution = 'raw')
     GROUP BY b.component, s.instance, b.bucket
    ON CONFLICT (component, instance, bucket)
       DO UPDATE SET (${ROLLUP_COLUMNS.join(", ")}) = ROW (${ROLLUP_COLUMNS.map((name) => `EXCLUDED.${name}`).join(", ")})
    RETURNING component, instance, bucket
  )${resolution === "minute" ? AFTER_MINUTES : ""}
  SELECT count(*) FROM computed`;

/** Hours are due with their minutes, once however many; and who has reported is noted. */
const AFTER_MINUTES = `, hours AS (
    INSERT INTO metric_rollups_due (resolution, bucket, component)
    SELECT DISTINCT 'hour', date_trunc('hour', c.bucket, 'UTC'), c.component FROM computed AS c
     WHERE NOT EXISTS (SELECT FROM metric_rollups_due d WHERE d.resolution = 'hour'
                          AND d.bucket = date_trunc('hour', c.bucket, 'UTC') AND d.component = c.component)
  ), seen AS (
    INSERT INTO metric_series (component, instance, last_minute)
    SELECT component, instance, max(bucket) FROM computed GROUP BY component, instance
    ON CONFLICT (component, instance)
       DO UPDATE SET last_minute = EXCLUDED.last_minute WHERE metric_series.last_minute < EXCLUDED.last_minute
  )`;

/** Sorts of some hundred thousand samples stay in memory. */
const SETTINGS = { work_mem: "64MB" };

interface Picked {
  buckets: string[] | null;
  components: string[];
  first: string;
  last: string;
}

/** Minutes and hours over this service's schema. */
export function rollupStore(db: Pick<Database, "transaction">): RollupStore {
  const statements = { minute: computeSql("minute"), hour: computeSql("hour") };
  return {
    compute: (resolution, { graceMs, limit, signal }) =>
      db.transaction(
        async (client) => {
          // Where transactions come one by one, nobody else is at it anyway.
          const { rows: lock } = await client.query<{ locked: boolean }>(LOCK);
          if (!lock[0]?.locked) return 0;
          const { rows } = await client.query<Picked>(PICK, [
            resolution,
            ROLLUP_MS[resolution] / 1000,
            graceMs / 1000,
            limit,
          ]);
          const { buckets, components, first, last } = rows[0] as Picked;
          if (buckets === null) return 0;
          await client.query(statements[resolution], [buckets, components, first, last]);
          return buckets.length;
        },
        // An hour of many samples takes its time, and nobody waits for it.
        { settings: SETTINGS, timeoutMs: 0, signal },
      ),
  };
}
