import type { Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import { eventOf } from "../../domain/recall/watch-recall.ts";
import type {
  RecallCurve,
  RecallEvent,
  RecallMeasurement,
  RecallPoint,
  RecallStore,
} from "../../domain/recall/recall.ts";

interface CurveRow {
  index_name: string;
  k: number;
  selectivity: number;
  points: RecallPoint[];
  queries: number;
  exact_ms: number;
  recent_queries: number;
  rows: string;
  tuned_at: Date;
}

interface MeasurementRow {
  id: string;
  collection: string;
  index_name: string;
  k: number;
  effort: number;
  selectivity: number;
  recall: number;
  lower: number;
  upper: number;
  confidence: number;
  queries: number;
  recent_queries: number;
  index_ms: number;
  exact_ms: number;
  recall_target: number | null;
  rows: string;
  measured_at: Date;
}

const MEASUREMENT = `m.id, m.collection, m.index_name, m.k, m.effort, m.selectivity, m.recall, m.lower, m.upper, m.confidence,
  m.queries, m.recent_queries, m.index_ms, m.exact_ms, m.recall_target, m.rows, m.measured_at`;

/** What a keeper of measurements may want to tell. */
export type OnMeasurement = (measurement: RecallMeasurement, event: { met: boolean } | undefined) => void;

/** Curves go by the index's oid: it has another name when it takes the place of an older one, and another oid when it was built again. */
export function recallStore(db: Database, onMeasurement: OnMeasurement = () => {}): RecallStore {
  return {
    async curves(collection, limits) {
      const { rows } = await db.statement<CurveRow>(
        {
          text: `SELECT i.relname AS index_name, c.k, c.selectivity, c.points, c.exact_ms, c.queries, c.recent_queries, c.rows, c.tuned_at
                   FROM recall_curves c JOIN pg_class i ON i.oid = c.index_oid::oid AND i.relkind IN ('i', 'I')
                  WHERE c.collection = $1
                  ORDER BY i.relname COLLATE "C", c.selectivity DESC, c.k`,
          values: [collection],
        },
        { ...limits, readOnly: true },
      );
      const byIndex = new Map<string, RecallCurve[]>();
      for (const row of rows)
        byIndex.set(row.index_name, [...(byIndex.get(row.index_name) ?? []), toCurve(row)]);
      return byIndex;
    },

    async keepCurves(collection, { name, oid }, curves, limits) {
      await db.transaction(async (client) => {
        await client.query(
          "DELETE FROM recall_curves WHERE collection = $1 AND (index_name = $2 OR index_oid = $3)",
          [collection, name, oid],
        );
        for (const { k, selectivity, points, exactMs, queries, recentQueries, rows } of curves) {
          await client.query(
            `INSERT INTO recall_curves (collection, index_name, index_oid, k, selectivity, points, exact_ms, queries, recent_queries, rows)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
            [
              collection,
              name,
              oid,
              k,
              selectivity,
              JSON.stringify(points),
              exactMs,
              queries,
              recentQueries,
              rows,
            ],
          );
        }
      }, limits);
    },

    async keepMeasurement(measurement, limits) {
      const { kept, event } = await db.transaction(async (client) => {
        const stored = await insertMeasurement(client, measurement);
        const raised = eventOf(stored, await lastEvent(client, stored));
        if (raised) {
          await client.query(
            "INSERT INTO recall_events (collection, measurement_id, met, recall_target) VALUES ($1, $2, $3, $4)",
            [stored.collection, stored.id, raised.met, stored.recallTarget],
          );
        }
        return { kept: stored, event: raised };
      }, limits);
      onMeasurement(kept, event);
      return kept;
    },

    async measurements({ collection, indexName, beforeId, limit }, limits) {
      const { rows } = await db.statement<MeasurementRow>(
        {
          text: `SELECT ${MEASUREMENT} FROM recall_measurements m
                  WHERE m.collection = $1 AND ($2::text IS NULL OR m.index_name = $2) AND ($3::bigint IS NULL OR m.id < $3)
                  ORDER BY m.id DESC LIMIT $4`,
          values: [collection, indexName ?? null, beforeId ?? null, limit],
        },
        { ...limits, readOnly: true },
      );
      return rows.map(toMeasurement);
    },

    async latest(limits) {
      const { rows } = await db.statement<{ collection: string; index_name: string; recall: number }>(
        {
          text: `SELECT DISTINCT ON (m.collection, m.index_oid) m.collection, i.relname AS index_name, m.recall
                   FROM recall_measurements m JOIN pg_class i ON i.oid = m.index_oid::oid AND i.relkind IN ('i', 'I')
                  WHERE m.recall_target IS NOT NULL AND m.selectivity = 1
                  ORDER BY m.collection, m.index_oid, m.id DESC`,
          values: [],
        },
        { ...limits, readOnly: true },
      );
      return rows.map(({ collection, index_name: indexName, recall }) => ({ collection, indexName, recall }));
    },

    async events({ collection, beforeId, limit }, limits) {
      const { rows } = await db.statement<
        MeasurementRow & { event_id: string; met: boolean; event_target: number; created_at: Date }
      >(
        {
          text: `SELECT e.id AS event_id, e.met, e.recall_target AS event_target, e.created_at, ${MEASUREMENT}
                   FROM recall_events e JOIN recall_measurements m ON m.id = e.measurement_id
                  WHERE ($1::text IS NULL OR e.collection = $1) AND ($2::bigint IS NULL OR e.id < $2)
                  ORDER BY e.id DESC LIMIT $3`,
          values: [collection ?? null, beforeId ?? null, limit],
        },
        { ...limits, readOnly: true },
      );
      return rows.map((row): RecallEvent => ({
        id: BigInt(row.event_id),
        met: row.met,
        recallTarget: row.event_target,
        measurement: toMeasurement(row),
        createdAt: row.created_at,
      }));
    },
  };
}

/** What was last told of the same kind of search, which has to be the latest one there is: others wait with theirs. */
async function lastEvent(
  client: PoolClient,
  { collection, indexName, k, selectivity, recallTarget }: RecallMeasurement,
): Promise<{ met: boolean } | undefined> {
  if (recallTarget === undefined) return undefined;
  await client.query("SELECT FROM collections WHERE name = $1 FOR NO KEY UPDATE", [collection]);
  const { rows } = await client.query<{ met: boolean }>(
    `SELECT e.met FROM recall_events e JOIN recall_measurements m ON m.id = e.measurement_id
      WHERE e.collection = $1 AND m.index_name = $2 AND m.k = $3 AND m.selectivity = $4 AND e.recall_target = $5
      ORDER BY e.id DESC LIMIT 1`,
    [collection, indexName, k, selectivity, recallTarget],
  );
  return rows[0];
}

async function insertMeasurement(
  client: PoolClient,
  measurement: Parameters<RecallStore["keepMeasurement"]>[0],
): Promise<RecallMeasurement> {
  const columns = {
    collection: measurement.collection,
    index_name: measurement.indexName,
    index_oid: measurement.indexOid,
    k: measurement.k,
    effort: measurement.effort,
    selectivity: measurement.selectivity,
    recall: measurement.recall,
    lower: measurement.lower,
    upper: measurement.upper,
    confidence: measurement.confidence,
    queries: measurement.queries,
    recent_queries: measurement.recentQueries,
    index_ms: measurement.indexMs,
    exact_ms: measurement.exactMs,
    recall_target: measurement.recallTarget ?? null,
    rows: measurement.rows,
  };
  const places = Object.keys(columns).map((_, i) => `$${i + 1}`);
  const { rows } = await client.query<MeasurementRow>(
    `INSERT INTO recall_measurements AS m (${Object.keys(columns).join(", ")}) VALUES (${places.join(", ")})
     RETURNING ${MEASUREMENT}`,
    Object.values(columns),
  );
  return toMeasurement(rows[0] as MeasurementRow);
}

function toCurve(row: CurveRow): RecallCurve {
  return {
    k: row.k,
    selectivity: row.selectivity,
    points: row.points,
    queries: row.queries,
    exactMs: row.exact_ms,
    recentQueries: row.recent_queries,
    rows: Number(row.rows),
    tunedAt: row.tuned_at,
  };
}

function toMeasurement(row: MeasurementRow): RecallMeasurement {
  return {
    id: BigInt(row.id),
    collection: row.collection,
    indexName: row.index_name,
    k: row.k,
    effort: row.effort,
    selectivity: row.selectivity,
    recall: row.recall,
    lower: row.lower,
    upper: row.upper,
    confidence: row.confidence,
    queries: row.queries,
    recentQueries: row.recent_queries,
    indexMs: row.index_ms,
    exactMs: row.exact_ms,
    recallTarget: row.recall_target ?? undefined,
    rows: Number(row.rows),
    measuredAt: row.measured_at,
  };
}
