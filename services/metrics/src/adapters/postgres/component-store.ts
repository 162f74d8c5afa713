import type { Database } from "@kindred/postgres";
import type { ComponentStore } from "../../domain/components.ts";
import { SAMPLE_COLUMNS, toSample, type SampleRow } from "./sample-rows.ts";

/**
 * Processes are known from their minutes; those of minutes that are not computed yet are looked up among the samples. Samples without a
 * component were written by hand, by nobody who could be silent. Of each process only the time is read in which its latest samples are: the index is by
 * component, and whoever ended weeks ago would be looked for among all that the others have reported since.
 */
export const LATEST_SAMPLES = `
  WITH fresh AS MATERIALIZED (
    SELECT m.component, m.instance, min(due.bucket) AS first, max(due.bucket) AS last
      FROM (SELECT DISTINCT bucket, component FROM metric_rollups_due WHERE resolution = 'minute' AND component <> '') AS due
      JOIN system_metrics AS m ON m.component = due.component
       AND m.timestamp >= due.bucket AND m.timestamp < due.bucket + INTERVAL '1 minute'
     GROUP BY 1, 2
  ), series AS MATERIALIZED (
    SELECT component, instance, min(first) AS first, max(last) AS last
      FROM (SELECT component, instance, last_minute AS first, last_minute AS last FROM metric_series
             UNION ALL
            SELECT * FROM fresh) AS known
     GROUP BY 1, 2
  )
  SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now_micros, s.*
    FROM series
    JOIN LATERAL (
         SELECT min(bucket) AS bucket
           FROM (SELECT bucket FROM system_metrics_minutes AS r
                  WHERE r.component = series.component AND r.instance = series.instance
                  ORDER BY bucket DESC LIMIT $1) AS latest) AS minutes ON true
    JOIN LATERAL (
         SELECT ${SAMPLE_COLUMNS} FROM system_metrics AS m
          WHERE m.component = series.component AND m.instance = series.instance
            AND m.timestamp >= LEAST(series.first, minutes.bucket) AND m.timestamp < series.last + INTERVAL '1 minute'
          ORDER BY m.timestamp DESC, m.id DESC LIMIT $1) AS s ON true
   ORDER BY s.component, s.instance, s.timestamp_micros DESC, s.id DESC`;

/** Who has reported, over this service's schema. */
export function componentStore(db: Pick<Database, "query">): ComponentStore {
  return {
    async latest(perSeries) {
      const { rows } = await db.query<SampleRow & { now_micros: string }>(LATEST_SAMPLES, [perSeries]);
      return { nowMicros: BigInt(rows[0]?.now_micros ?? 0), samples: rows.map(toSample) };
    },
  };
}
