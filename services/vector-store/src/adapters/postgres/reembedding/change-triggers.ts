import { escapeIdentifier, escapeLiteral, type PoolClient } from "pg";
import { COLLECTION, type Collection } from "../../../domain/collection.ts";
import type { TableName } from "../../../domain/layout.ts";
import { tableSql } from "../sql.ts";

// Triggers that log what changes while a collection is moved. Their functions are in the migration `reembedding`.

interface NoteTrigger {
  table: TableName;
  name: string;
  /** E.g. "AFTER INSERT". */
  when: string;
  each: "ROW" | "STATEMENT";
  /** The function that it runs. */
  runs: string;
}

const RETIRED = "refuse_retired_vectors";
const TRUNCATION = "note_reembedding_truncation";

/** On the collection's tables, in the order in which writers lock them. */
function noteTriggers({ name, layout }: Pick<Collection, "name" | "layout">): NoteTrigger[] {
  const { vectors, items } = layout;
  if (!items) throw new TypeError("only collections of two tables are moved");
  const after = (table: TableName, runs: string, when: string): NoteTrigger => ({
    table,
    name: runs,
    when: `AFTER ${when}`,
    each: runs === TRUNCATION ? "STATEMENT" : "ROW",
    runs,
  });
  const images = name === COLLECTION;
  return [
    images
      ? after(items.table, "note_reembedding_description", "UPDATE OF description")
      : after(items.table, "note_reembedding_document", "INSERT OR DELETE OR UPDATE OF document"),
    ...(images ? [] : [after(items.table, TRUNCATION, "TRUNCATE")]),
    after(
      vectors,
      images ? "note_reembedding_embedding" : "note_reembedding_item",
      "INSERT OR UPDATE OR DELETE",
    ),
    after(vectors, TRUNCATION, "TRUNCATE"),
  ];
}

/** They also fire for what logical replication writes. To be called before what is there is read. */
export async function logChanges(
  client: PoolClient,
  schema: string,
  collection: Pick<Collection, "name" | "layout">,
): Promise<void> {
  for (const trigger of noteTriggers(collection))
    await createTrigger(client, schema, collection.name, trigger);
}

/** Where a table is gone, so are its triggers. */
export async function logChangesNoMore(
  client: PoolClient,
  collection: Pick<Collection, "name" | "layout">,
): Promise<void> {
  for (const { table, name } of noteTriggers(collection)) await dropTrigger(client, table, name);
  await client.query("DELETE FROM reembedding_changes WHERE collection = $1", [collection.name]);
}

/** From now on nobody writes to the table. */
export async function refuseWrites(
  client: PoolClient,
  schema: string,
  collection: string,
  table: TableName,
): Promise<void> {
  await createTrigger(client, schema, collection, {
    table,
    name: RETIRED,
    when: "BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE",
    each: "STATEMENT",
    runs: RETIRED,
  });
}

async function createTrigger(
  client: PoolClient,
  schema: string,
  collection: string,
  { table, name, when, each, runs }: NoteTrigger,
): Promise<void> {
  const [trigger, target] = [escapeIdentifier(name), tableSql(table)];
  await client.query(
    `CREATE OR REPLACE TRIGGER ${trigger} ${when} ON ${target} FOR EACH ${each}
       EXECUTE FUNCTION ${escapeIdentifier(schema)}.${escapeIdentifier(runs)}(${escapeLiteral(collection)})`,
  );
  await client.query(`ALTER TABLE ${target} ENABLE ALWAYS TRIGGER ${trigger}`);
}

/** Asked first: whoever drops a trigger locks the table against everybody, even where there is none. */
async function dropTrigger(client: PoolClient, table: TableName, name: string): Promise<void> {
  const { rowCount } = await client.query(
    "SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = $2",
    [tableSql(table), name],
  );
  if (rowCount) await client.query(`DROP TRIGGER ${escapeIdentifier(name)} ON ${tableSql(table)}`);
}
