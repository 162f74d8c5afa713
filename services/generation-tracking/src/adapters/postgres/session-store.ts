import type { Database } from "@kindred/postgres";
import type { JsonObject } from "../../domain/generation.ts";
import type { Session, SessionFilter, SessionPosition, SessionStore } from "../../domain/sessions/session.ts";
import { epochMicros } from "./generation-entity.ts";
import { DEADLINE, GOES_ON, SEEN_NOW } from "./session-counters.ts";

/** A row as `pg` gives it: 64-bit integers are text. Rows that users' own SQL wrote may lack anything. */
interface SessionRow {
  id: string;
  session_id: string | null;
  user_id: string | null;
  start_micros: string;
  end_micros: string | null;
  total_requests: string | null;
  total_generations: string | null;
  session_data: unknown;
  last_seen_micros: string;
  idle_timeout_micros: string | null;
  expired: boolean;
}

/** Not before it began, whatever somebody wrote by hand. */
const ENDED_IDLE_AT = `GREATEST(start_time, ${DEADLINE})`;

// As the session is, also where nothing has written its end down.
const COLUMNS = `
  id, session_id, user_id, total_requests, total_generations, session_data,
  ${epochMicros("start_time")} AS start_micros,
  ${epochMicros(`CASE WHEN ${GOES_ON} THEN NULL ELSE COALESCE(end_time, ${ENDED_IDLE_AT}) END`)} AS end_micros,
  ${epochMicros("COALESCE(last_seen, start_time)")} AS last_seen_micros,
  ${epochMicros("idle_timeout")} AS idle_timeout_micros,
  (expired OR (end_time IS NULL AND NOT ${GOES_ON})) AS expired`;

const INSERT = `
  INSERT INTO user_sessions (session_id, user_id, session_data, idle_timeout, last_seen)
  VALUES ($1, NULLIF($2::text, ''), $3::jsonb, $4::bigint * INTERVAL '1 microsecond', now())
  ON CONFLICT (session_id) DO NOTHING
  RETURNING ${COLUMNS}`;

const FIND = `SELECT ${COLUMNS} FROM user_sessions WHERE session_id = $1`;

const TOUCH = `
  UPDATE user_sessions
     SET total_requests = COALESCE(total_requests, 0) + $2::bigint, last_seen = ${SEEN_NOW}
   WHERE session_id = $1 AND ${GOES_ON}
  RETURNING ${COLUMNS}`;

const TOUCH_WITH_DATA = `
  UPDATE user_sessions
     SET total_requests = COALESCE(total_requests, 0) + $2::bigint, last_seen = ${SEEN_NOW},
         session_data = (COALESCE(NULLIF(session_data, 'null'), '{}') - $4::text[]) || $3::jsonb
   WHERE session_id = $1 AND ${GOES_ON} AND COALESCE(jsonb_typeof(session_data), 'null') IN ('object', 'null')
  RETURNING ${COLUMNS}`;

const END = `
  UPDATE user_sessions
     SET expired = NOT ${GOES_ON},
         end_time = CASE WHEN ${GOES_ON} THEN ${SEEN_NOW} ELSE ${ENDED_IDLE_AT} END
   WHERE session_id = $1 AND end_time IS NULL
  RETURNING ${COLUMNS}`;

// Rows that somebody touches at this moment are locked, and passed over: they go on. Materialised, as a join might read it more than once.
const END_IDLE = `
  WITH idle AS MATERIALIZED (
    SELECT id FROM user_sessions
     WHERE end_time IS NULL AND idle_timeout IS NOT NULL AND NOT ${GOES_ON}
     LIMIT $1
       FOR UPDATE SKIP LOCKED)
  UPDATE user_sessions
     SET expired = true, end_time = ${ENDED_IDLE_AT}
    FROM idle
   WHERE user_sessions.id = idle.id`;

/** The store over this service's schema. The database stays the caller's. */
export function sessionStore(db: Pick<Database, "query" | "transaction">): SessionStore {
  const find = async (sessionId: string): Promise<Session | undefined> =>
    first((await db.query<SessionRow>(FIND, [sessionId])).rows);
  return {
    find,
    async insert({ sessionId, userId, data, idleTimeoutMicros }) {
      const json = data === undefined ? null : JSON.stringify(data);
      return first(
        (await db.query<SessionRow>(INSERT, [sessionId, userId, json, String(idleTimeoutMicros)])).rows,
      );
    },
    async touch(sessionId, { requests, set, removed }, check) {
      if (Object.keys(set).length === 0 && removed.length === 0)
        return first((await db.query<SessionRow>(TOUCH, [sessionId, requests])).rows);
      return db.transaction(async (client) => {
        const { rows } = await client.query<SessionRow>(TOUCH_WITH_DATA, [
          sessionId,
          requests,
          JSON.stringify(set),
          removed,
        ]);
        const touched = first(rows);
        if (touched) check(touched);
        return touched;
      });
    },
    async end(sessionId) {
      return first((await db.query<SessionRow>(END, [sessionId])).rows) ?? (await find(sessionId));
    },
    async list({ filter, after, limit }) {
      const { text, values } = listStatement(filter, after, limit);
      const { rows } = await db.query<SessionRow>(text, values);
      return rows.map((row) => ({
        session: toSession(row),
        position: { startMicros: BigInt(row.start_micros), rowId: BigInt(row.id) },
      }));
    },
    async endIdle(limit) {
      return (await db.query(END_IDLE, [limit])).rowCount;
    },
  };
}

function listStatement(filter: SessionFilter, after: SessionPosition | undefined, limit: number) {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const instant = (micros: bigint): string =>
    `(TIMESTAMPTZ 'epoch' + ${parameter(String(micros))}::bigint * INTERVAL '1 microsecond')`;
  const { userId, active, startedAfterMicros, startedBeforeMicros } = filter;
  const conditions = [
    ...(userId === undefined ? [] : [`user_id = ${parameter(userId)}`]),
    ...(active === undefined ? [] : [active ? GOES_ON : `NOT ${GOES_ON}`]),
    ...(startedAfterMicros === undefined ? [] : [`start_time >= ${instant(startedAfterMicros)}`]),
    ...(startedBeforeMicros === undefined ? [] : [`start_time < ${instant(startedBeforeMicros)}`]),
    // Compared as a pair, so that the index finds the page's beginning, however far back it is.
    ...(after
      ? [`(start_time, id) < (${instant(after.startMicros)}, ${parameter(String(after.rowId))}::bigint)`]
      : []),
  ];
  const text = `
    SELECT ${COLUMNS} FROM user_sessions
     ${conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`}
     ORDER BY start_time DESC, id DESC
     LIMIT ${parameter(limit)}`;
  return { text, values };
}

function first(rows: readonly SessionRow[]): Session | undefined {
  return rows[0] && toSession(rows[0]);
}

function toSession(row: SessionRow): Session {
  return {
    sessionId: row.session_id ?? "",
    userId: row.user_id ?? "",
    startMicros: BigInt(row.start_micros),
    endMicros: row.end_micros === null ? undefined : BigInt(row.end_micros),
    totalRequests: BigInt(row.total_requests ?? 0),
    totalGenerations: BigInt(row.total_generations ?? 0),
    data: isObject(row.session_data) ? row.session_data : undefined,
    lastSeenMicros: BigInt(row.last_seen_micros),
    idleTimeoutMicros: row.idle_timeout_micros === null ? undefined : BigInt(row.idle_timeout_micros),
    expired: row.expired,
  };
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
