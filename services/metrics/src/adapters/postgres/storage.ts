import { sqlStateOf, type Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { Kept, Storage } from "../../domain/retention.ts";

/** Making and dropping partitions locks the whole table for a moment; behind a long query nobody shall have to wait for us. */
const LOCKS = { lock_timeout: 2000 };
/** Also the one lock that says that somebody does it already; statements that read or write samples do not mind it. */
const LOCK_PARENT = "LOCK TABLE ONLY system_metrics IN SHARE UPDATE EXCLUSIVE MODE";

const LOCK_NOT_AVAILABLE = "55P03";

const PARTITIONS = `
  SELECT right(c.relname, 8) AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
   WHERE i.inhparent = 'system_metrics'::regclass AND c.relname ~ '^system_metrics_\\d{8}$'`;

/** Days in UTC, YYYYMMDD: those to come, and those of rows in the default partition. */
const MISSING_DAYS = `
  SELECT to_char(day, 'YYYYMMDD') AS day
    FROM (SELECT date_trunc('day', now() AT TIME ZONE 'UTC') + i * INTERVAL '1 day' AS day FROM generate_series(0, $1::int) AS i
           UNION
          SELECT date_trunc('day', timestamp AT TIME ZONE 'UTC') FROM system_metrics_default
           WHERE timestamp >= date_trunc('day', now() - make_interval(secs => $2) - INTERVAL '5 minutes', 'UTC') AND timestamp < now() + INTERVAL '2 days') AS wanted
   WHERE to_char(day, 'YYYYMMDD') NOT IN (${PARTITIONS})
   ORDER BY 1`;

const TABLES: Readonly<Record<Kept, { table: string; time: string; key: readonly string[] }>> = {
  raw: { table: "system_metrics", time: "timestamp", key: ["id", "timestamp"] },
  minute: { table: "system_metrics_minutes", time: "bucket", key: ["component", "instance", "bucket"] },
  hour: { table: "system_metrics_hours", time: "bucket", key: ["component", "instance", "bucket"] },
};

/** Rows that another replica is deleting at this moment are left to it. */
const deleteSql = ({ table, time, key }: (typeof TABLES)[Kept]): string => `
  DELETE FROM ${table} AS t
   USING (SELECT ${key.join(", ")} FROM ${table} WHERE ${time} < $1::timestamptz
           ORDER BY ${time} LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
   WHERE ${key.map((column) => `t.${column} = old.${column}`).join(" AND ")} AND t.${time} < $1::timestamptz`;

/**
 * Whole hours, and five minutes later than it could be: an hour is computed before its samples begin to go, however short they are kept, and where the
 * service was away or is behind, they stay until it is. A horizon never goes back: what was dropped is not there again when more is kept from now on.
 */
const MOVE_HORIZON = `
  WITH moved (horizon) AS (
    SELECT LEAST(
      date_trunc($3, now() - make_interval(secs => $2) - INTERVAL '5 minutes', 'UTC'),
      (SELECT date_trunc($3, min(d.bucket), 'UTC') FROM metric_rollups_due AS d
        WHERE $1 = 'raw' AND d.bucket >= (SELECT dropped_before FROM metric_horizons WHERE resolution = 'raw')))
  )
  UPDATE metric_horizons SET dropped_before = GREATEST(dropped_before, horizon)
    FROM moved WHERE resolution = $1
  RETURNING horizon::text AS time`;

/** The days of system_metrics, and the tables of minutes and hours, in this service's schema. */
export function storage(db: Pick<Database, "query" | "transaction">): Storage {
  return {
    async prepareDays({ ahead, keepMs }) {
      const parameters = [ahead, keepMs / 1000];
      // Looked at without a lock: as a rule there is nothing to do.
      const { rows: missing } = await db.query<{ day: string }>(MISSING_DAYS, parameters);
      if (missing.length === 0) return [];
      return await unlessBusy(() =>
        db.transaction(
          async (client) => {
            await client.query(LOCK_PARENT);
            const { rows } = await client.query<{ day: string }>(MISSING_DAYS, parameters);
            for (const { day } of rows) await makeDay(client, day);
            return rows.map(({ day }) => day);
          },
          { settings: LOCKS },
        ),
      );
    },
    async moveHorizon(kept, { keepMs, wholeDays }) {
      const { rows } = await db.query<{ time: string }>(MOVE_HORIZON, [
        kept,
        keepMs / 1000,
        wholeDays ? "day" : "hour",
      ]);
      return rows[0]?.time as string;
    },
    async dropDaysBefore(time) {
      const old = `SELECT day FROM (${PARTITIONS}) AS p
                    WHERE (day::timestamp + INTERVAL '1 day') AT TIME ZONE 'UTC' <= $1::timestamptz ORDER BY 1`;
      const { rows: candidates } = await db.query<{ day: string }>(old, [time]);
      if (candidates.length === 0) return [];
      return await unlessBusy(() =>
        db.transaction(
          async (client) => {
            await client.query(LOCK_PARENT);
            const { rows } = await client.query<{ day: string }>(old, [time]);
            for (const { day } of rows) await client.query(`DROP TABLE system_metrics_${day}`);
            return rows.map(({ day }) => day);
          },
          { settings: LOCKS },
        ),
      );
    },
    async forgetSeriesBefore(time) {
      await db.query("DELETE FROM metric_series WHERE last_minute < $1::timestamptz", [time]);
    },
    async deleteBefore(kept, time, limit) {
      const { rowCount } = await db.query(deleteSql(TABLES[kept]), [time, limit]);
      return rowCount;
    },
  };
}

/** "busy" where the lock could not be had in time: somebody else is at it, or reads for long, and there is a next round. */
async function unlessBusy(work: () => Promise<string[]>): Promise<string[] | "busy"> {
  try {
    return await work();
  } catch (error) {
    if (sqlStateOf(error) === LOCK_NOT_AVAILABLE) return "busy";
    throw error;
  }
}

/**
 * A table of its own first, that becomes a partition once it has the day's rows: those that came before there was a partition for them
 * are in the default one, which no partition may overlap.
 */
async function makeDay(client: PoolClient, day: string): Promise<void> {
  const table = `system_metrics_${day}`;
  const { rows } = await client.query<{ from: string; to: string }>(
    `SELECT ($1::timestamp AT TIME ZONE 'UTC')::text AS from, (($1::timestamp + INTERVAL '1 day') AT TIME ZONE 'UTC')::text AS to`,
    [day],
  );
  const { from, to } = rows[0] as { from: string; to: string };
  await client.query(`CREATE TABLE ${table} (LIKE system_metrics INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
  // From here on nobody adds to the default partition until the end.
  await client.query("LOCK TABLE system_metrics_default IN ACCESS EXCLUSIVE MODE");
  await client.query(
    `WITH moved AS (DELETE FROM system_metrics_default WHERE timestamp >= '${from}' AND timestamp < '${to}' RETURNING *)
     INSERT INTO ${table} SELECT * FROM moved`,
  );
  await client.query(
    `ALTER TABLE system_metrics ATTACH PARTITION ${table} FOR VALUES FROM ('${from}') TO ('${to}')`,
  );
}
