import type { Database } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import { noCollection, type Collection } from "../../../domain/collection.ts";
import type { TableName } from "../../../domain/layout.ts";
import type { SpaceMove } from "../../../domain/reembedding/reembedding-ports.ts";
import { createVectorsTable } from "../collection-tables.ts";
import { addSpace } from "../space-pin.ts";
import { tableSql } from "../sql.ts";
import { holdOperation, withBriefLocks } from "./brief-locks.ts";
import { logChanges, logChangesNoMore } from "./change-triggers.ts";

/** Makes the new table where it is not there yet, and has changes logged from then on: all in one transaction, so that there is both or none. */
export async function prepareMove(db: Database, move: SpaceMove, signal: AbortSignal): Promise<void> {
  const { from, to } = move;
  await withBriefLocks(
    db,
    async (client) => {
      await holdOperation(client, move);
      if (await isThere(client, to.layout.vectors)) return;
      if (to.space) await addSpace(client, to.space);
      await client.query("DELETE FROM reembedding_changes WHERE collection = $1", [from.name]);
      await logChanges(client, db.schema, from);
      if (from.kind === "images") await createLike(client, from, to);
      else await createVectorsTable(client, to, db.capabilities.vector?.schema);
      await copyGrants(client, from.layout.vectors, to.layout.vectors);
      const { rowCount } = await client.query(
        "UPDATE collections SET reembedding_space_id = $2 WHERE name = $1",
        [from.name, to.space?.id],
      );
      if (rowCount === 0) throw noCollection(from.name);
    },
    signal,
  );
}

/** Before the cut-over: removes the new table, the triggers, the log, and what was found out about the new indexes. */
export async function undoMove(
  db: Database,
  move: SpaceMove,
  finalNames: (client: PoolClient) => Promise<readonly string[]>,
  signal: AbortSignal,
): Promise<void> {
  const { from, to } = move;
  await withBriefLocks(
    db,
    async (client) => {
      await holdOperation(client, move);
      const indexes = await finalNames(client);
      await logChangesNoMore(client, from);
      await client.query(`DROP TABLE IF EXISTS ${tableSql(to.layout.vectors)}`);
      for (const table of ["recall_curves", "recall_measurements", "index_builds"]) {
        await client.query(`DELETE FROM ${table} WHERE collection = $1 AND index_name = ANY ($2::text[])`, [
          from.name,
          indexes,
        ]);
      }
      await client.query("UPDATE collections SET reembedding_space_id = NULL WHERE name = $1", [from.name]);
    },
    signal,
  );
}

/** After the cut-over: the old table, on which nothing depends any more, and the triggers of the others. */
export async function finishMove(db: Database, move: SpaceMove, signal: AbortSignal): Promise<void> {
  const { from } = move;
  await withBriefLocks(
    db,
    async (client) => {
      await holdOperation(client, move);
      // The images catalogue's old table went with the cut-over: its name is that of the new one.
      if (from.kind !== "images") await client.query(`DROP TABLE IF EXISTS ${tableSql(from.layout.vectors)}`);
      await logChangesNoMore(client, from);
    },
    signal,
  );
}

/** What depends on the images' embeddings as a table, and would not know the new one by its name. */
export async function obstaclesOf(client: PoolClient, { kind, layout }: Collection): Promise<string[]> {
  if (kind !== "images") return [];
  const { rows } = await client.query<{ what: string }>(
    `WITH t AS (SELECT to_regclass($1)::oid AS oid)
     SELECT 'the view or rule ' || r.ev_class::regclass AS what FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid, t
      WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
     UNION
     SELECT 'the foreign key ' || quote_ident(c.conname) || ' of ' || c.conrelid::regclass FROM pg_constraint c, t
      WHERE c.contype = 'f' AND c.confrelid = t.oid
     UNION
     SELECT 'the trigger ' || quote_ident(g.tgname) FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid, t
      WHERE g.tgrelid = t.oid AND NOT g.tgisinternal
        AND p.proname NOT LIKE 'note\\_reembedding\\_%' AND p.proname <> 'note_vector_change'
     UNION
     SELECT 'the policy ' || quote_ident(p.polname) FROM pg_policy p, t WHERE p.polrelid = t.oid
     UNION
     SELECT 'the publication ' || quote_ident(p.pubname)
       FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid, t WHERE r.prrelid = t.oid
     UNION
     SELECT 'the table ' || h.inhrelid::regclass || ', which inherits from it' FROM pg_inherits h, t WHERE h.inhparent = t.oid
     ORDER BY what`,
    [tableSql(layout.vectors)],
  );
  return rows.map(({ what }) => what);
}

export async function isThere(client: Pick<PoolClient, "query">, table: TableName): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [
    tableSql(table),
  ]);
  return rows[0]?.there ?? false;
}

/** With all that belongs to the images' embeddings, also what users have added, but for indexes of vectors: those are built when it is full. */
async function createLike(client: PoolClient, from: Collection, to: Collection): Promise<void> {
  const [source, target] = [tableSql(from.layout.vectors), tableSql(to.layout.vectors)];
  const column = to.layout.vector.column;
  await client.query(`CREATE TABLE ${target} (LIKE ${source} INCLUDING ALL)`);
  const { rows: indexes } = await client.query<{ name: string }>(
    `SELECT x.indexrelid::regclass::text AS name FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
      JOIN pg_am m ON m.oid = c.relam
     WHERE x.indrelid = $1::regclass AND m.amname IN ('hnsw', 'ivfflat', 'diskann')`,
    [target],
  );
  for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
  if (from.dimensions !== to.dimensions) {
    const { rows } = await client.query<{ type: string }>(
      `SELECT t.typname AS type FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = $1::regclass AND a.attname = $2`,
      [target, column],
    );
    await client.query(
      `ALTER TABLE ${target} ALTER COLUMN ${escapeIdentifier(column)} TYPE ${rows[0]?.type}(${Number(to.dimensions)})`,
    );
  }
  const { rows: keys } = await client.query<{ name: string; definition: string }>(
    `SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
      WHERE conrelid = $1::regclass AND contype = 'f'`,
    [source],
  );
  for (const { name, definition } of keys)
    await client.query(`ALTER TABLE ${target} ADD CONSTRAINT ${escapeIdentifier(name)} ${definition}`);
}

/** Whoever may read or write the one table or sequence may do so with the other one. */
export async function copyGrants(client: PoolClient, from: TableName, to: TableName): Promise<void> {
  const { rows } = await client.query<{ grantee: string; privilege: string; grantable: boolean }>(
    `SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
            a.privilege_type AS privilege, a.is_grantable AS grantable
       FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1::regclass AND a.grantee <> c.relowner`,
    [tableSql(from)],
  );
  for (const { grantee, privilege, grantable } of rows) {
    await client.query(
      `GRANT ${privilege} ON ${tableSql(to)} TO ${grantee}${grantable ? " WITH GRANT OPTION" : ""}`,
    );
  }
}
