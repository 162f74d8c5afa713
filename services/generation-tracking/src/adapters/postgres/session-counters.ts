/** When a row's session ends unless it is seen before; NULL: never by itself. */
export const DEADLINE = "(COALESCE(last_seen, start_time) + idle_timeout)";

/** Whether a row's session goes on by the database's clock, also before anything has written its end down. */
export const GOES_ON = `(end_time IS NULL AND (idle_timeout IS NULL OR now() < ${DEADLINE}))`;

/** When a row's session was seen last, if it is seen now; never earlier than before, as transactions do not commit in the order of their clocks. */
export const SEEN_NOW = "GREATEST(last_seen, start_time, now())";

// A session that is over still counts what was recorded with its id, and stays as it ended otherwise.
const COUNT_GENERATION = `
  UPDATE user_sessions
     SET total_generations = COALESCE(total_generations, 0) + 1,
         last_seen = CASE WHEN ${GOES_ON} THEN ${SEEN_NOW} ELSE last_seen END
   WHERE session_id = $1`;

/**
 * Counts one generation that was recorded or started with a session's id, in the transaction that records it, so that the count is exact;
 * nothing happens where there is no such session. The session's row is locked from here to the transaction's end: call it last.
 * @param transaction runs statements in the transaction: a `pg` client, or TypeORM's EntityManager
 * @param sessionId not empty
 */
export async function countGeneration(
  transaction: { query(sql: string, parameters: unknown[]): Promise<unknown> },
  sessionId: string,
): Promise<void> {
  await transaction.query(COUNT_GENERATION, [sessionId]);
}
