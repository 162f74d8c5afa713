import { KindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { EndStatus } from "../../domain/generation.ts";
import type { RetentionPolicy } from "../../domain/retention/policy.ts";
import type { RetentionRun, RetentionRuns } from "../../domain/retention/ports.ts";
import { epochMicros } from "./generation-entity.ts";
import { lockGenerations } from "./lock-generations.ts";

/** Rows that one transaction deletes at most. */
const BATCH = 1000;
/** Rows that one transaction reads at most: where few of them go, it is short all the same. */
const PAGE = 10_000;
const SAMPLES = 20;

const END_STATUSES: readonly EndStatus[] = ["completed", "failed", "cancelled"];
const LEAST_ID = "'-9223372036854775808'::bigint";

// Parameters $1 to $3: see keptValues.
const CAN_GO = "g.status = ANY ($1::text[])";
const IS_KEPT = "(COALESCE(g.rating >= $2::smallint, false) OR g.labels && $3::text[])";

/**
 * The horizon is a place in the order of recording: what is before it is old enough for one of the two limits. No row where nothing is.
 * Those in excess of a count are before the oldest one of those that count.
 */
const HORIZON = `
  horizon AS MATERIALIZED (
    SELECT at, id FROM (
      SELECT clock_timestamp() - $5::bigint * INTERVAL '1 microsecond' AS at, ${LEAST_ID} AS id
       WHERE $5 IS NOT NULL
      UNION ALL
      SELECT 'infinity', ${LEAST_ID} WHERE $6::bigint = 0
      UNION ALL
      (SELECT g.created_at, g.id FROM generations g
        WHERE $6 > 0 AND ${CAN_GO}
        ORDER BY g.created_at DESC, g.id DESC OFFSET GREATEST($6 - 1, 0) LIMIT 1)
    ) AS limits ORDER BY at DESC, id DESC LIMIT 1)`;

/**
 * What would go but for what is kept, and what goes. A generation holds what it varies when it stays, and so on upwards. Only those with
 * greater ids are variations: then there are no circles, and what is deleted by descending ids meets a variation before what it varies.
 */
const DOOMED = `
  ${HORIZON},
  old AS MATERIALIZED (
    SELECT g.id, g.status, g.created_at, ${IS_KEPT} AS kept
      FROM generations g, horizon WHERE ${CAN_GO} AND (g.created_at, g.id) < (horizon.at, horizon.id)),
  held (id) AS (
    SELECT c.parent_id FROM generations c
     WHERE $4 AND c.parent_id < c.id AND NOT EXISTS (SELECT FROM old WHERE old.id = c.id AND NOT old.kept)
    UNION
    SELECT g.parent_id FROM held JOIN generations g ON g.id = held.id WHERE g.parent_id < g.id),
  doomed AS MATERIALIZED (
    SELECT id, status, created_at FROM old
     WHERE NOT kept AND NOT EXISTS (SELECT FROM held WHERE held.id = old.id))`;

const PREVIEW = `
  WITH RECURSIVE ${DOOMED}
  SELECT (SELECT count(*) FROM generations) AS total, (SELECT count(*) FROM old) AS old,
         count(*) AS count, ${epochMicros("min(created_at)")} AS oldest, ${epochMicros("max(created_at)")} AS newest,
         ARRAY(SELECT id::text FROM doomed ORDER BY created_at, id LIMIT ${SAMPLES}) AS samples,
         ${END_STATUSES.map((status) => `count(*) FILTER (WHERE status = '${status}') AS ${status}`).join(", ")}
    FROM doomed`;

const BEGIN = `
  WITH RECURSIVE ${DOOMED}
  INSERT INTO retention_runs (operation_id, horizon_at, horizon_id, next_id, total)
  SELECT $7, (SELECT at FROM horizon), (SELECT id FROM horizon), max(id), count(*) FROM doomed
  ON CONFLICT (operation_id) DO NOTHING`;

const RUN = "SELECT total, deleted, next_id FROM retention_runs WHERE operation_id = $1";

interface RunRow {
  total: string;
  deleted: string;
  /** Null: all has been looked at. */
  next_id: string | null;
}

// By descending ids, so that those that are left of a page's variations are those that stay.
const NEXT = `
  WITH page AS MATERIALIZED (
    SELECT g.id, g.created_at, ${CAN_GO} AND NOT ${IS_KEPT} AS goes FROM generations g
     WHERE g.id <= $4::bigint ORDER BY g.id DESC LIMIT ${PAGE}),
  wanted AS MATERIALIZED (
    SELECT page.id FROM page, retention_runs run
     WHERE run.operation_id = $5 AND page.goes AND (page.created_at, page.id) < (run.horizon_at, run.horizon_id)
     ORDER BY page.id DESC LIMIT ${BATCH})
  SELECT ARRAY(SELECT id::text FROM wanted) AS ids, (SELECT min(id) FROM page) AS last_read,
         (SELECT count(*) FROM page) AS read`;

// In a statement of its own, so that it sees what was committed before the locks were had: one that was to go may be kept now.
const DELETE = `
  WITH RECURSIVE wanted AS MATERIALIZED (
    SELECT g.id, g.parent_id FROM generations g
     WHERE g.id = ANY ($5::bigint[]) AND ${CAN_GO} AND NOT ${IS_KEPT}),
  held (id) AS (
    SELECT wanted.id FROM wanted
     WHERE $4 AND EXISTS (
       SELECT FROM generations c
        WHERE c.parent_id = wanted.id AND c.id > wanted.id AND NOT EXISTS (SELECT FROM wanted w WHERE w.id = c.id))
    UNION
    SELECT wanted.parent_id FROM held JOIN wanted ON wanted.id = held.id WHERE wanted.parent_id < wanted.id)
  DELETE FROM generations g USING wanted
   WHERE g.id = wanted.id AND NOT EXISTS (SELECT FROM held WHERE held.id = g.id)`;

/** Deletions over this service's schema. The database stays the caller's. */
export function retentionRuns(db: Pick<Database, "statement" | "transaction">): RetentionRuns {
  return {
    async preview(policy, limits) {
      const { rows } = await db.statement<PreviewRow>(
        { text: PREVIEW, values: [...keptValues(policy), policy.keepParents, ...limitValues(policy)] },
        limits,
      );
      const row = rows[0] as PreviewRow;
      return {
        count: BigInt(row.count),
        total: BigInt(row.total),
        byStatus: END_STATUSES.map((status) => ({ status, count: BigInt(row[status]) })).filter(
          ({ count }) => count > 0n,
        ),
        oldestMicros: row.oldest === null ? undefined : BigInt(row.oldest),
        newestMicros: row.newest === null ? undefined : BigInt(row.newest),
        sampleIds: row.samples.map(BigInt),
        kept: BigInt(row.old) - BigInt(row.count),
      };
    },

    begin: (operationId, policy, limits) =>
      db.transaction(async (client) => {
        const { rows } = await client.query<RunRow>(RUN, [String(operationId)]);
        if (rows[0]) return toRun(rows[0]);
        await client.query(BEGIN, [
          ...keptValues(policy),
          policy.keepParents,
          ...limitValues(policy),
          String(operationId),
        ]);
        return toRun(await lockedRun(client, operationId));
      }, limits),

    deleteSome: (operationId, policy, limits) =>
      db.transaction(async (client) => {
        // Who has lost its lease without knowing waits here for whoever goes on, and then goes on from there: each row is counted once.
        const run = await lockedRun(client, operationId);
        if (run.next_id === null) return toRun(run);
        const values = keptValues(policy);
        const { rows } = await client.query<{ ids: string[]; last_read: string | null; read: string }>(NEXT, [
          ...values,
          run.next_id,
          String(operationId),
        ]);
        const { ids = [], last_read: lastRead = null, read = "0" } = rows[0] ?? {};
        // Before it is decided what goes: nobody can rate any of them meanwhile, or record a variation of one.
        await lockGenerations(client, ids);
        const { rowCount } = await client.query(DELETE, [...values, policy.keepParents, ids]);
        const changed = await client.query<RunRow>(
          "UPDATE retention_runs SET deleted = deleted + $2, next_id = $3 WHERE operation_id = $1 RETURNING total, deleted, next_id",
          [String(operationId), rowCount, nextId({ ids, lastRead, read: Number(read) })],
        );
        return toRun(changed.rows[0] as RunRow);
      }, limits),
  };
}

interface PreviewRow extends Record<EndStatus, string> {
  total: string;
  old: string;
  count: string;
  oldest: string | null;
  newest: string | null;
  samples: string[];
}

async function lockedRun(client: PoolClient, operationId: bigint): Promise<RunRow> {
  const { rows } = await client.query<RunRow>(`${RUN} FOR UPDATE`, [String(operationId)]);
  if (!rows[0]) throw new KindredError("not-found", `operation ${operationId} has begun to delete nothing`);
  return rows[0];
}

/** A full batch may leave some of its page; a page that is not full is the last one. */
function nextId({
  ids,
  lastRead,
  read,
}: {
  ids: string[];
  lastRead: string | null;
  read: number;
}): string | null {
  const full = ids.length === BATCH;
  const last = full ? (ids.at(-1) ?? null) : lastRead;
  return last === null || (!full && read < PAGE) ? null : String(BigInt(last) - 1n);
}

function toRun({ total, deleted, next_id: nextToRead }: RunRow): RetentionRun {
  return { total: BigInt(total), deleted: BigInt(deleted), over: nextToRead === null };
}

/** $1 to $3; $4 says whether parents are kept, where it is asked. */
function keptValues({ statuses, keepRating, keepLabels }: RetentionPolicy): unknown[] {
  return [statuses.length > 0 ? statuses : END_STATUSES, keepRating ?? null, keepLabels];
}

/** $5 and $6. */
function limitValues({ maxAgeMicros, maxCount }: RetentionPolicy): unknown[] {
  return [maxAgeMicros?.toString() ?? null, maxCount?.toString() ?? null];
}
