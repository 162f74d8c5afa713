import type { Database } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import { generationOf } from "../../../domain/reembedding/destination.ts";
import { obstacleError } from "../../../domain/reembedding/obstacle-error.ts";
import { textlessError } from "../../../domain/reembedding/textless-error.ts";
import type { MovedIndex, SpaceMove, SpaceMoves } from "../../../domain/reembedding/reembedding-ports.ts";
import { tableSql } from "../sql.ts";
import { briefly, holdOperation, isInTheWay } from "./brief-locks.ts";
import { refuseWrites } from "./change-triggers.ts";
import { loggedChanges, settleChanges, textsOfKeys } from "./moved-rows.ts";
import { copyGrants, obstaclesOf } from "./next-table.ts";

type CutOverOptions = Parameters<SpaceMoves["cutOver"]>[1];

/** Thrown to roll back where there are more changes than writers should wait for. */
class TooManyChanges extends Error {}

/** See SpaceMoves.cutOver. */
export async function cutOver(
  db: Database,
  move: SpaceMove,
  options: CutOverOptions,
  signal: AbortSignal,
): Promise<"done" | "busy"> {
  try {
    await db.transaction((client) => settleAndSwap(client, db, move, options), { ...briefly, signal });
    return "done";
  } catch (error) {
    if (error instanceof TooManyChanges || isInTheWay(error)) return "busy";
    throw error;
  }
}

async function settleAndSwap(
  client: PoolClient,
  db: Database,
  move: SpaceMove,
  { indexes, embed, mostChanges }: CutOverOptions,
): Promise<void> {
  const { from, to } = move;
  await holdOperation(client, move);
  const { vectors, items } = from.layout;
  const tables = [vectors, ...(items ? [items.table] : [])];
  // In the order in which writers lock them. Readers go on; who locks rows for a change of metadata waits too.
  const ordered = from.kind === "images" ? tables.toReversed() : tables;
  await client.query(`LOCK TABLE ${ordered.map(tableSql).join(", ")} IN EXCLUSIVE MODE`);
  await settleLast(client, db, move, embed, mostChanges);
  if (from.kind === "images") await swapEmbeddings(client, move, indexes);
  else await refuseWrites(client, db.schema, from.name, vectors);
  await client.query(
    `UPDATE collections SET space_id = $2, dimensions = $3, vectors_generation = $4, reembedding_space_id = NULL
      WHERE name = $1`,
    [from.name, to.space?.id, to.dimensions, from.kind === "images" ? 1 : generationOf(to)],
  );
  await keepFindings(client, move, indexes);
}

async function settleLast(
  client: PoolClient,
  db: Database,
  move: SpaceMove,
  embed: CutOverOptions["embed"],
  mostChanges: number,
): Promise<void> {
  const changes = await loggedChanges(client, move, 0n, mostChanges + 1);
  if (changes.ids.length > mostChanges) throw new TooManyChanges();
  if (changes.ids.length === 0) return;
  const items = await textsOfKeys(client, move, changes.keys);
  const textless = items.filter(({ text }) => text === undefined);
  if (textless.length > 0) {
    throw textlessError(move.from.name, {
      count: textless.length,
      keys: textless.slice(0, 5).map(({ key }) => key),
    });
  }
  const vectors = items.length > 0 ? await embed(items.map(({ text }) => text as string)) : [];
  await settleChanges(
    client,
    db,
    move,
    changes,
    items.map(({ key }, i) => ({ key, vector: vectors[i] as Uint8Array })),
  );
}

/**
 * The new table takes the place of `embeddings`, which goes: users' SQL finds it under its name, with its indexes under theirs and its
 * sequence where it was.
 */
async function swapEmbeddings(
  client: PoolClient,
  move: SpaceMove,
  indexes: readonly MovedIndex[],
): Promise<void> {
  const { from, to } = move;
  const [old, next] = [from.layout.vectors, to.layout.vectors];
  const obstacles = await obstaclesOf(client, from);
  if (obstacles.length > 0) throw obstacleError(obstacles);
  const names = await plainIndexNames(client, tableSql(old), tableSql(next));
  // Searches that are under way end first; those that come wait for what follows.
  await client.query(`LOCK TABLE ${tableSql(old)} IN ACCESS EXCLUSIVE MODE`);
  const [oldSequence, nextSequence] = [
    await sequenceOf(client, tableSql(old), from.layout.key.column),
    await sequenceOf(client, tableSql(next), from.layout.key.column),
  ];
  if (oldSequence && nextSequence) {
    await client.query(
      `SELECT setval($1::regclass, last_value, is_called) FROM ${tableSql({ schema: old.schema, name: oldSequence })}`,
      [tableSql({ schema: old.schema, name: nextSequence })],
    );
    await copyGrants(
      client,
      { schema: old.schema, name: oldSequence },
      { schema: old.schema, name: nextSequence },
    );
  }
  await client.query(`DROP TABLE ${tableSql(old)}`);
  await client.query(`ALTER TABLE ${tableSql(next)} RENAME TO ${escapeIdentifier(old.name)}`);
  const schema = escapeIdentifier(old.schema);
  if (oldSequence && nextSequence && oldSequence !== nextSequence) {
    await client.query(
      `ALTER SEQUENCE ${schema}.${escapeIdentifier(nextSequence)} RENAME TO ${escapeIdentifier(oldSequence)}`,
    );
  }
  const renamed = [...names, ...indexes.map(({ name, finalName }) => [name, finalName] as const)];
  for (const [name, finalName] of renamed) {
    if (name === finalName) continue;
    await client.query(
      `ALTER INDEX ${schema}.${escapeIdentifier(name)} RENAME TO ${escapeIdentifier(finalName)}`,
    );
  }
}

/** Names of the new table's indexes with those that the same ones of the old table have; not of those that are built for vectors. */
async function plainIndexNames(
  client: PoolClient,
  old: string,
  next: string,
): Promise<(readonly [name: string, finalName: string])[]> {
  const { rows } = await client.query<{ name: string; final: string }>(
    `WITH named AS (
       SELECT x.indrelid, c.relname, pos.tail,
              row_number() OVER (PARTITION BY x.indrelid, pos.tail ORDER BY c.oid) AS place
         FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid,
              LATERAL (SELECT x.indisunique || regexp_replace(pg_get_indexdef(c.oid), '^.*? USING ', '') AS tail) pos
        WHERE x.indrelid IN ($1::regclass, $2::regclass))
     SELECT n.relname AS name, o.relname AS final
       FROM named n JOIN named o ON o.tail = n.tail AND o.place = n.place
      WHERE n.indrelid = $2::regclass AND o.indrelid = $1::regclass AND n.tail !~ '^(true|false)(hnsw|ivfflat|diskann) '`,
    [old, next],
  );
  return rows.map(({ name, final }) => [name, final] as const);
}

async function sequenceOf(client: PoolClient, table: string, column: string): Promise<string | undefined> {
  const { rows } = await client.query<{ name: string | null }>(
    "SELECT (SELECT relname FROM pg_class WHERE oid = pg_get_serial_sequence($1, $2)::regclass) AS name",
    [table, column],
  );
  return rows[0]?.name ?? undefined;
}

/** What is known of the new indexes is known under their names from now on; what is about the old space is forgotten. */
async function keepFindings(
  client: PoolClient,
  { from, to }: SpaceMove,
  indexes: readonly MovedIndex[],
): Promise<void> {
  const names = indexes.map(({ name }) => name);
  for (const table of ["recall_curves", "index_builds", "recall_measurements"]) {
    await client.query(`DELETE FROM ${table} WHERE collection = $1 AND index_name <> ALL ($2::text[])`, [
      from.name,
      names,
    ]);
    for (const { name, finalName } of indexes) {
      await client.query(
        `UPDATE ${table} SET index_name = $3 WHERE collection = $1 AND index_name = $2 AND index_name <> $3`,
        [from.name, name, finalName],
      );
    }
  }
  await client.query("DELETE FROM recent_queries WHERE collection = $1 AND space_id IS DISTINCT FROM $2", [
    from.name,
    to.space?.id,
  ]);
}
