import { isKindredError } from "@kindred/errors";
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

/** One for each partition that may be made at the same moment, and more. */
const ATTEMPTS = 5;

/**
 * A row that was on its way to the default partition, and waited for it while its day got a partition of its own, is refused by the default one:
 * a check violation (23514) of no named constraint. The next attempt finds the new partition.
 */
function missedNewPartition(error: unknown): boolean {
  if (!isKindredError(error)) return false;
  const { sqlstate, constraint } = error.metadata;
  return sqlstate === "23514" && constraint === undefined;
}

/** The store over this service's schema. The database stays the caller's. */
export function sampleStore(db: Pick<Database, "query">): SampleStore {
  return {
    async insert(samples) {
      const parameters = insertParameters(samples);
      for (let attempt = 1; ; attempt++) {
        try {
          const { rowCount } = await db.query(INSERT_SAMPLES, parameters);
          return rowCount;
        } catch (error) {
          if (attempt === ATTEMPTS || !missedNewPartition(error)) throw error;
        }
      }
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
