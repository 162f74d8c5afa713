import type { Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { Collection } from "../../../domain/collection.ts";
import { baseName, isTemporary, ownNames, partitionIndexName } from "../../../domain/indexes/index-names.ts";
import type { TableName } from "../../../domain/layout.ts";
import { vectorIndexes, type TableIndex } from "../index-catalogue.ts";
import { withBuildSession, type BuildSession } from "./build-session.ts";
import { releaseBuilderLock, tryBuilderLock } from "./builder-lock.ts";
import { indexSql } from "./index-ddl.ts";
import { LOCK_TIMEOUT_MS } from "./short-locks.ts";
import { partitionsOf } from "./table-facts.ts";

/** Somebody's long transaction can be in the way of dropping an index: then it is tried again another time. */
const DROP_TIMEOUT_MS = 5000;
const REINDEXED = /_cc(?:new|old)\d*$/;

interface Leftover {
  table: TableName;
  name: string;
  /** Its parts go with it, and it cannot be dropped concurrently. */
  partitioned: boolean;
}

/**
 * Removes what builds have left on which nobody works any more. The builder's lock is held meanwhile, which a build that begins now
 * waits for.
 */
export async function removeLeftovers(
  db: Database,
  collection: Collection,
  signal: AbortSignal,
): Promise<string[]> {
  const found = await db.transaction((client) => leftoversOf(client, collection), { signal, readOnly: true });
  if (found.length === 0) return [];
  if (!db.capabilities.createIndexConcurrently) return await dropInTransaction(db, collection, signal);
  return await withBuildSession(db, "removing leftovers", signal, async (session) => {
    if (!(await tryBuilderLock(session, db))) return [];
    try {
      // What was seen without the lock may have been finished or taken up meanwhile.
      return await dropAll(db, session, await leftoversOf(session.client, collection));
    } finally {
      await releaseBuilderLock(session, db);
    }
  });
}

/** Invalid indexes of the store's, and those that it has called so only for a while; none while an operation of the collection is active. */
export async function leftoversOf(client: PoolClient, collection: Collection): Promise<Leftover[]> {
  const { vectors, vector } = collection.layout;
  const facts = await recordsOf(client, collection);
  if (facts.busy) return [];
  const partitions = (await partitionsOf(client, vectors)) ?? [];
  const own = new Set([...ownNames(collection.layout, collection.elementType), ...facts.builtNames]);
  const isLeft = (index: TableIndex, names: ReadonlySet<string>): boolean => {
    if (index.building || index.column !== vector.column) return false;
    if (REINDEXED.test(index.name))
      return (
        !index.valid && (names.has(baseName(index.name)) || facts.rebuiltNames.has(baseName(index.name)))
      );
    if (!names.has(baseName(index.name))) return false;
    const recorded = facts.builtOids.has(index.oid);
    // In a user's table a name alone does not make an index the store's, unless it is one that only the store would give.
    if (collection.kind === "registered" && !recorded) return !index.valid && isTemporary(index.name);
    return !index.valid || isTemporary(index.name);
  };
  const left: Leftover[] = [];
  for (const index of await vectorIndexes(client, vectors)) {
    if (isLeft(index, own))
      left.push({ table: vectors, name: index.name, partitioned: partitions.length > 0 });
  }
  for (const [position, { table }] of partitions.entries()) {
    const names = new Set([...own].map((name) => partitionIndexName(name, position)));
    const attached = await attachedTo(client, table);
    for (const index of await vectorIndexes(client, table)) {
      if (!attached.has(index.oid) && isLeft(index, names))
        left.push({ table, name: index.name, partitioned: false });
    }
  }
  return left;
}

async function dropAll(
  db: Database,
  session: BuildSession,
  leftovers: readonly Leftover[],
): Promise<string[]> {
  const gone: string[] = [];
  for (const { table, name, partitioned } of leftovers) {
    const sql = indexSql(table, name);
    try {
      if (partitioned) await session.cleanUp(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`, DROP_TIMEOUT_MS);
      await session.cleanUp(
        `DROP INDEX ${partitioned ? "" : "CONCURRENTLY"} IF EXISTS ${sql}`,
        DROP_TIMEOUT_MS,
      );
      gone.push(name);
      db.logger.warn({ index: name }, "removed what an interrupted index build has left behind");
    } catch (error) {
      db.logger.warn(
        { err: error, index: name },
        "what an index build has left behind could not be removed yet",
      );
    }
  }
  return gone;
}

async function dropInTransaction(
  db: Database,
  collection: Collection,
  signal: AbortSignal,
): Promise<string[]> {
  return await db.transaction(
    async (client) => {
      const leftovers = await leftoversOf(client, collection);
      for (const { table, name } of leftovers)
        await client.query(`DROP INDEX IF EXISTS ${indexSql(table, name)}`);
      return leftovers.map(({ name }) => name);
    },
    { signal },
  );
}

interface Records {
  /** Whether an operation works on the collection's indexes, or is about to. */
  busy: boolean;
  builtNames: string[];
  builtOids: ReadonlySet<number>;
  /** Of indexes that the store was asked to build again, whose ever they are. */
  rebuiltNames: ReadonlySet<string>;
}

async function recordsOf(client: PoolClient, { name }: Collection): Promise<Records> {
  const { rows } = await client.query<{
    busy: boolean;
    names: string[] | null;
    oids: number[] | null;
    rebuilt: string[] | null;
  }>(
    `SELECT EXISTS (SELECT FROM operations
                     WHERE collection = $1 AND finished_at IS NULL AND kind <> 'recall_tuning') AS busy,
            (SELECT array_agg(DISTINCT n) FROM (
               SELECT index_name AS n FROM index_builds WHERE collection = $1
               UNION ALL
               SELECT checkpoint ->> 'index_name' FROM operations
                WHERE collection = $1 AND kind = 'index_build' AND checkpoint ? 'index_name') names) AS names,
            (SELECT array_agg(DISTINCT index_oid::float8) FROM index_builds WHERE collection = $1) AS oids,
            (SELECT array_agg(DISTINCT checkpoint ->> 'index_name') FROM operations
              WHERE collection = $1 AND kind = 'index_rebuild' AND checkpoint ? 'index_name') AS rebuilt`,
    [name],
  );
  const row = rows[0] as (typeof rows)[0];
  return {
    busy: row.busy,
    builtNames: (row.names ?? []).map(baseName),
    builtOids: new Set(row.oids),
    rebuiltNames: new Set(row.rebuilt),
  };
}

/** Indexes of a partition that are parts of one of the whole table: they stand and fall with it. */
async function attachedTo(client: PoolClient, table: TableName): Promise<ReadonlySet<number>> {
  const { rows } = await client.query<{ oid: number }>(
    `SELECT h.inhrelid::bigint::float8 AS oid
       FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid
      WHERE i.indrelid = to_regclass(format('%I.%I', $1::text, $2::text))`,
    [table.schema, table.name],
  );
  return new Set(rows.map(({ oid }) => oid));
}
