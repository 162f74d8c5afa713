import type { Database } from "@kindred/postgres";
import type { ComponentStore } from "../../domain/components.ts";
import { SAMPLE_COLUMNS, toSample, type SampleRow } from "./sample-rows.ts";

/**
 * Processes are known from their minutes; those of minutes that are not computed yet are looked up among the samples. Samples without a
 * component were written by hand, by nobody who could be silent.
 */
const LATEST = `
  WITH series AS MATERIALIZED (
    SELECT component, instance FROM metric_series
     UNION
    SELECT m.component, m.instance
      FROM (SELECT DISTINCT bucket, component FROM metric_rollups_due WHERE resolution = 'minute' AND component <> '') AS due
      JOIN system_metrics AS m ON m.component = due.component
       AND m.timestamp >= due.bucket AND m.timestamp < due.bucket + INTERVAL '1 minute'
  )
  SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now_micros, s.*
    FROM series
    JOIN LATERAL (
         SELECT ${SAMPLE_COLUMNS} FROM system_metrics AS m
          WHERE m.component = series.component AND m.instance = series.instance
          ORDER BY m.timestamp DESC, m.id DESC LIMIT $1) AS s ON true
   ORDER BY s.component, s.instance, s.timestamp_micros DESC, s.id DESC`;

/** Who has reported, over this service's schema. */
export function componentStore(db: Pick<Database, "query">): ComponentStore {
  return {
    async latest(perSeries) {
      const { rows } = await db.query<SampleRow & { now_micros: string }>(LATEST, [perSeries]);
      return { nowMicros: BigInt(rows[0]?.now_micros ?? 0), samples: rows.map(toSample) };
    },
  };
}
