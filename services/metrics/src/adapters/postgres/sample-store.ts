import type { Database } from "@kindred/postgres";
import type { SampleStore } from "../../domain/sample.ts";
import { INSERT_SAMPLES, insertParameters, SAMPLE_COLUMNS, toSample, type SampleRow } from "./sample-rows.ts";

const newestSql = (condition: string): string => `
  SELECT ${SAMPLE_COLUMNS}
    FROM system_metrics
   WHERE timestamp >= now() - make_interval(secs => $1) ${condition}
   ORDER BY timestamp DESC, id DESC
   LIMIT $2`;
const NEWEST = newestSql("");
const NEWEST_OF_COMPONENT = newestSql("AND component = $3");

/** The store over this service's schema. The database stays the caller's. */
export function sampleStore(db: Pick<Database, "query">): SampleStore {
  return {
    async insert(samples) {
      const { rowCount } = await db.query(INSERT_SAMPLES, insertParameters(samples));
      return rowCount;
    },
    async newest({ hours, component, limit }) {
      const seconds = hours * 3600;
      const { rows } =
        component === undefined
          ? await db.query<SampleRow>(NEWEST, [seconds, limit])
          : await db.query<SampleRow>(NEWEST_OF_COMPONENT, [seconds, limit, component]);
      return rows.map(toSample);
    },
  };
}
