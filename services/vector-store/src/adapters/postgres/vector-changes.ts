import { sqlStateOf, type Database } from "@kindred/postgres";
import { escapeIdentifier, type ClientBase } from "pg";
import type { TableName } from "../../domain/layout.ts";
import type { Queryable } from "./json-vectors.ts";
import { tableSql } from "./sql.ts";

/*
 * How a process knows that vectors it read some time ago are still those of the table, whoever writes: this service, another
 * replica, or a person with psql.
 *
 * Every transaction that changes a table has a row of its own in vector_changes, put there by a trigger once a statement: the
 * relation and the transaction's id of 64 bits, which never comes again. A snapshot sees that row if and only if it sees what the
 * transaction did. So the rows that a snapshot sees tell its contents: where two snapshots see the same rows, no transaction has
 * become visible in between.
 *
 * Rows do not pile up: a transaction that puts its own there removes those that every snapshot sees. That is safe. Suppose a
 * transaction became visible after the first snapshot; its row is in the second one, or was removed by another one that saw it,
 * which therefore became visible after the first snapshot too; and so on, until one whose row is there, which the first snapshot did
 * not see.
 *
 * Counters of pg_stat are late and get lost; a version number in one row would make all writers of a table wait for each other
 * until they commit; looking at every row's xmin would cost as much as comparing the vectors. What remains outside are ALTER TABLE
 * … DISABLE TRIGGER, which shows in the trigger's own row, and a table that is rewritten, which shows in its file.
 */

const TRIGGER = "note_vector_change";

/** DDL that waits for its lock makes writers wait behind it. */
const LOCK_TIMEOUT_MS = 250;
const LOCK_NOT_AVAILABLE = "55P03";
const INSUFFICIENT_PRIVILEGE = "42501";

/**
 * Tells the contents of a table in the snapshot of this statement: equal texts, equal contents. Undefined while changes of the
 * table are not noted.
 */
export async function tableVersion(
  client: Queryable,
  schema: string,
  table: TableName,
): Promise<string | undefined> {
  const { rows } = await client.query(
    `SELECT concat_ws(':', c.oid, c.relfilenode, t.oid, t.xmin,
              (SELECT string_agg(n.writer::text, ',' ORDER BY n.writer)
                 FROM ${escapeIdentifier(schema)}.vector_changes n WHERE n.relation = c.oid)) AS version
       FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid
      WHERE c.oid = to_regclass($1) AND t.tgname = $2 AND t.tgenabled = 'A'`,
    [tableSql(table), TRIGGER],
  );
  return (rows as { version: string }[])[0]?.version;
}

/**
 * Sees to it that changes of the table are noted from now on. The trigger also fires for what logical replication writes.
 * @returns whether they are; false while others write without pause, and where the role does not own the table.
 */
export async function noteChanges(db: Database, table: TableName): Promise<boolean> {
  if (await tableVersion(db, db.schema, table)) return true;
  try {
    await db.transaction(
      async (client) => {
        await client.query(`
          CREATE OR REPLACE TRIGGER ${TRIGGER} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${tableSql(table)}
            FOR EACH STATEMENT EXECUTE FUNCTION ${escapeIdentifier(db.schema)}.note_vector_change()`);
        // Tables come and go with their collections.
        await client.query(`
          DELETE FROM ${escapeIdentifier(db.schema)}.vector_changes n
           WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = n.relation)`);
        await client.query(`ALTER TABLE ${tableSql(table)} ENABLE ALWAYS TRIGGER ${TRIGGER}`);
      },
      { settings: { lock_timeout: LOCK_TIMEOUT_MS } },
    );
  } catch (error) {
    if (![LOCK_NOT_AVAILABLE, INSUFFICIENT_PRIVILEGE].includes(sqlStateOf(error) ?? "")) throw error;
    db.logger.warn({ err: error, table: table.name }, "changes of this table cannot be noted");
    return false;
  }
  return true;
}

/** Ends it, in the transaction of whoever holds the table's lock: vectors of pgvector are not remembered. */
export async function noteChangesNoMore(client: ClientBase, schema: string, table: TableName): Promise<void> {
  await client.query(`DROP TRIGGER IF EXISTS ${TRIGGER} ON ${tableSql(table)}`);
  await client.query(
    `DELETE FROM ${escapeIdentifier(schema)}.vector_changes WHERE relation = to_regclass($1)`,
    [tableSql(table)],
  );
}
