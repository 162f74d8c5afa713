import type { Database } from "@kindred/postgres";
import type { Collection } from "../../../domain/collection.ts";
import { partitionIndexName } from "../../../domain/indexes/index-names.ts";
import { BUILD_APPLICATION, type BuildSession } from "./build-session.ts";
import { indexSql } from "./index-ddl.ts";
import { LOCK_TIMEOUT_MS, untilLocked } from "./short-locks.ts";
import { findIndex, partitionsOf } from "./table-facts.ts";

interface Dropping {
  db: Database;
  session: Pick<BuildSession, "run" | "client">;
  signal: AbortSignal;
}

/**
 * Drops an index of the collection's vectors, valid or not, without keeping anybody waiting for long; of a partitioned table also parts
 * that were not attached yet. A session of the store's that still builds it is ended first.
 */
export async function dropIndex(
  { db, session, signal }: Dropping,
  collection: Collection,
  name: string,
): Promise<void> {
  const { vectors } = collection.layout;
  const partitions = await partitionsOf(session.client, vectors);
  const found = await findIndex(session.client, collection, name);
  if (found) await endBuildsOf(db, found.oid);
  if (!partitions) {
    if (found) await session.run(`DROP INDEX CONCURRENTLY IF EXISTS ${indexSql(vectors, name)}`);
    return;
  }
  // PostgreSQL drops indexes of partitioned tables in one go only, which takes a lock that keeps everybody out for a moment.
  if (found) {
    await untilLocked(signal, async () => {
      await session.run(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
      try {
        await session.run(`DROP INDEX IF EXISTS ${indexSql(vectors, name)}`);
      } finally {
        await session.client.query("SET lock_timeout = 0");
      }
    });
  }
  for (const [position, { table }] of partitions.entries()) {
    const part = await findIndex(session.client, collection, partitionIndexName(name, position), table);
    if (!part) continue;
    await endBuildsOf(db, part.oid);
    await session.run(`DROP INDEX CONCURRENTLY IF EXISTS ${indexSql(table, part.name)}`);
  }
}

/** A build whose service was killed goes on until the server notices; it would keep the index from being dropped. */
async function endBuildsOf(db: Database, oid: number): Promise<void> {
  await db.query(
    `SELECT pg_terminate_backend(p.pid)
       FROM pg_stat_progress_create_index p JOIN pg_stat_activity a ON a.pid = p.pid
      WHERE p.index_relid = $1::oid AND a.application_name LIKE $2 || '%' AND p.datname = current_database()`,
    [oid, BUILD_APPLICATION],
  );
}
