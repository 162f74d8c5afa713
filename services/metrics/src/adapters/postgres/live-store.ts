import type { Database } from "@kindred/postgres";
import type { LiveStore } from "../../domain/live-samples.ts";
import { SAMPLE_COLUMNS, toSample, type SampleRow } from "./sample-rows.ts";

const LATEST_ID =
  "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS id FROM system_metrics_id_seq";

const AFTER = `SELECT ${SAMPLE_COLUMNS} FROM system_metrics WHERE id > $1 ORDER BY id LIMIT $2`;

const RECENT = `
  SELECT ${SAMPLE_COLUMNS} FROM system_metrics
   WHERE timestamp >= now() - make_interval(mins => $1) AND ($2::text[] IS NULL OR COALESCE(component, '') = ANY ($2::text[]))
   ORDER BY timestamp DESC, id DESC LIMIT $3`;

/** Samples as they come, over this service's schema. */
export function liveStore(db: Pick<Database, "query">): LiveStore {
  return {
    async latestId() {
      const { rows } = await db.query<{ id: string }>(LATEST_ID);
      return BigInt(rows[0]?.id ?? 0);
    },
    async after(id, limit) {
      const { rows } = await db.query<SampleRow>(AFTER, [id.toString(), limit]);
      return rows.map(toSample);
    },
    async recent({ minutes, components, limit }) {
      const { rows } = await db.query<SampleRow>(RECENT, [
        minutes,
        components.length === 0 ? null : components,
        limit,
      ]);
      return rows.toReversed().map(toSample);
    },
  };
}
