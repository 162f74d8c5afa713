import { isKindredError, KindredError } from "@kindred/errors";
import { sqlStateOf, translatePgError, type Database } from "@kindred/postgres";
import type { PoolClient } from "pg";

/** By which the sessions of this service that build are known in pg_stat_activity. */
export const BUILD_APPLICATION = "kindred index build";
const MAX_APPLICATION_BYTES = 63;

/** What a session that builds for hours needs. A killed service's build ends by itself: the server looks for its client so often. */
const SESSION = [
  "SET statement_timeout = 0",
  "SET lock_timeout = 0",
  "SET idle_session_timeout = 0",
  // A machine that vanished says nothing: 25 s after its last sign of life the connection counts as dead.
  "SET tcp_keepalives_idle = 10",
  "SET tcp_keepalives_interval = 5",
  "SET tcp_keepalives_count = 3",
];
const CHECK_CLIENT = "SET client_connection_check_interval = '1s'";

/** How long a cancelled statement may take to end before its connection is cut. */
const CUT_AFTER_MS = 10_000;

/** A session of its own on which something long is done. */
export interface BuildSession {
  client: PoolClient;
  pid: number;
  /** Whether the server ends what it does for a client that is gone. */
  endsWithClient: boolean;
  /** A statement that an abort interrupts; it rejects with the signal's reason then. */
  run(sql: string): Promise<void>;
  /** A statement that no abort interrupts: cleaning up. */
  cleanUp(sql: string, timeoutMs: number): Promise<void>;
}

/** Opens a session, and closes it after the work, whatever becomes of that: its settings and locks end with it. */
export async function withBuildSession<T>(
  db: Database,
  about: string,
  signal: AbortSignal,
  work: (session: BuildSession) => Promise<T>,
): Promise<T> {
  let client: PoolClient | undefined;
  try {
    client = await db.pool.acquire(signal);
    return await work(await prepared(db, client, about, signal));
  } catch (error) {
    throw signal.aborted ? abortReason(signal) : endedByOthers(translatePgError(error));
  } finally {
    client?.release(true);
  }
}

async function prepared(
  db: Database,
  client: PoolClient,
  about: string,
  signal: AbortSignal,
): Promise<BuildSession> {
  for (const statement of SESSION) await client.query(statement);
  const endsWithClient = await accepts(client, CHECK_CLIENT);
  const { rows } = await client.query<{ pid: number }>(
    "SELECT pg_backend_pid() AS pid, set_config('application_name', $1, false)",
    [shortened(`${BUILD_APPLICATION}: ${about}`)],
  );
  const pid = rows[0]?.pid as number;
  return {
    client,
    pid,
    endsWithClient,
    async run(sql) {
      signal.throwIfAborted();
      let cut: NodeJS.Timeout | undefined;
      const cancel = (): void => {
        cut = setTimeout(() => {
          db.logger.warn({ pid }, "a cancelled statement did not end; its connection is cut");
          (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
        }, CUT_AFTER_MS);
        db.query("SELECT pg_cancel_backend($1)", [pid]).catch((error: unknown) =>
          db.logger.warn({ err: error, pid }, "a statement could not be cancelled"),
        );
      };
      signal.addEventListener("abort", cancel, { once: true });
      try {
        await client.query(sql);
      } finally {
        clearTimeout(cut);
        signal.removeEventListener("abort", cancel);
      }
    },
    async cleanUp(sql, timeoutMs) {
      await client.query(`SET statement_timeout = ${Math.ceil(timeoutMs)}`);
      try {
        await client.query(sql);
      } finally {
        await client.query("SET statement_timeout = 0");
      }
    },
  };
}

/** Not every server knows the setting, nor every system: there a killed service's build goes on to its end. */
async function accepts(client: PoolClient, setting: string): Promise<boolean> {
  try {
    await client.query(setting);
    return true;
  } catch (error) {
    // Not a setting of this server; not a value that its system can do.
    if (["42704", "22023", "0A000"].includes(sqlStateOf(error) ?? "")) return false;
    throw error;
  }
}

/** The service's wish to end comes as an abort: a statement that was cancelled otherwise, somebody with access to the server has ended. */
function endedByOthers(error: unknown): unknown {
  if (!isKindredError(error) || error.kind !== "cancelled") return error;
  return new KindredError("failed-precondition", "somebody has cancelled the statement in the database", {
    cause: error,
  });
}

export function abortReason({ reason }: AbortSignal): unknown {
  if (isKindredError(reason)) return reason;
  return new KindredError("cancelled", "the work on the index was cancelled", { cause: reason });
}

function shortened(text: string): string {
  // application_name is ASCII to PostgreSQL.
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, MAX_APPLICATION_BYTES);
}
