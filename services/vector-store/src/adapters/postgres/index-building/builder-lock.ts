import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "@kindred/postgres";
import type { StepContext } from "../../../domain/indexes/index-ports.ts";
import { BUILD_APPLICATION, type BuildSession } from "./build-session.ts";

/** One key for all collections: two builds at once would each take the memory and the disk that the other one counts on. */
const LOCK_KEY = "kindred/vector_store/index/embeddings";
const POLL_MS = 250;
/** How long somebody who builds the same index may go on where nothing ends it by itself. */
const ABANDONED_MS = 5000;

interface Holder {
  pid: number;
  application_name: string;
  /** The index that it builds; null while it builds none. */
  index_name: string | null;
}

/** Tries once. Always had where the server has one session for everybody. */
export async function tryBuilderLock(
  { client }: Pick<BuildSession, "client">,
  db: Database,
): Promise<boolean> {
  if (!db.capabilities.advisoryLocks) return true;
  const { rows } = await client.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked",
    [LOCK_KEY],
  );
  return rows[0]?.locked === true;
}

/**
 * Waits until this session is the only one among all replicas that builds. A session that still builds the very same index belongs to a
 * service that was killed, or lost its lease: where the server does not end it by itself, it is cancelled.
 */
export async function waitForBuilderLock(
  db: Database,
  session: BuildSession,
  indexName: string,
  step: StepContext,
): Promise<void> {
  const since = performance.now();
  let told: number | undefined;
  while (!(await tryBuilderLock(session, db))) {
    const holder = await lockHolder(db);
    if (holder) {
      const detail = `waiting for ${holder.index_name ? `the build of ${holder.index_name}` : "another build"}`;
      step.report({ detail, done: 0, total: 0, unit: "" });
      if (told !== holder.pid)
        step.note(`${detail}, by backend ${holder.pid} (${holder.application_name || "unnamed"})`);
      told = holder.pid;
      const abandoned =
        holder.index_name === indexName && holder.application_name.startsWith(BUILD_APPLICATION);
      if (abandoned && !session.endsWithClient && performance.now() - since > ABANDONED_MS)
        await db.query("SELECT pg_terminate_backend($1)", [holder.pid]);
    }
    await sleep(POLL_MS, undefined, { signal: step.signal });
  }
}

/** The lock ends with the session, but that takes a moment in which others would be told that it is held. */
export async function releaseBuilderLock(
  { client }: Pick<BuildSession, "client">,
  db: Database,
): Promise<void> {
  if (!db.capabilities.advisoryLocks) return;
  try {
    await client.query("SELECT pg_advisory_unlock(hashtextextended($1, 0))", [LOCK_KEY]);
  } catch (error) {
    db.logger.debug({ err: error }, "the session of an index build is gone, and its lock with it");
  }
}

async function lockHolder(db: Database): Promise<Holder | undefined> {
  const { rows } = await db.query<Holder>(
    `SELECT a.pid, coalesce(a.application_name, '') AS application_name, c.relname AS index_name
       FROM pg_locks l
       JOIN pg_stat_activity a ON a.pid = l.pid
       LEFT JOIN pg_stat_progress_create_index p ON p.pid = l.pid
       LEFT JOIN pg_class c ON c.oid = p.index_relid
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended($1, 0)`,
    [LOCK_KEY],
  );
  return rows[0];
}
