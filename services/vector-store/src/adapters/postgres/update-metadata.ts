import { KindredError } from "@kindred/errors";
import type { ServerCapabilities } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import type { Collection } from "../../domain/collection.ts";
import type { JsonObject } from "../../domain/image.ts";
import { compareKeys } from "../../domain/key-order.ts";
import { rowColumn } from "./binary-rows.ts";
import { JSONB, TEXT } from "./binary-types.ts";
import { keyArray } from "./item-keys.ts";
import { keySql, tableSql } from "./sql.ts";
import { rowSource } from "./write-rows.ts";

export interface MetadataChange {
  key: string;
  metadata: JsonObject | undefined;
  document: string | undefined;
}

/**
 * Changes what is kept beside the vectors of a managed collection; their rows are locked, so that none is deleted meanwhile, and stay
 * where they are. Everything in the order of keys.
 * @throws KindredError not-found that names the first key which is not there.
 */
export async function updateMetadata(
  client: PoolClient,
  capabilities: Pick<ServerCapabilities, "copy">,
  collection: Collection,
  changes: readonly MetadataChange[],
  { merge }: { merge: boolean },
): Promise<number> {
  const { layout } = collection;
  const { items } = layout;
  if (!items) throw new TypeError("the collection's metadata are its own columns");
  // What writes no vector is not refused by itself where the vectors are in another table by now.
  await client.query(`DELETE FROM ${tableSql(layout.vectors)} WHERE false`);
  await holdVectors(client, collection, changes);
  const compare = compareKeys(layout.key.type);
  const rows = changes.toSorted((a, b) => compare(a.key, b.key));
  const at = (row: number): MetadataChange => rows[row] as MetadataChange;
  const source = await rowSource(client, capabilities, {
    count: rows.length,
    columns: [
      rowColumn("key", TEXT, (row) => at(row).key),
      rowColumn("metadata", JSONB, (row) => keptMembers(at(row), merge)),
      rowColumn("removed", JSONB, (row) => removedMembers(at(row))),
      rowColumn("document", TEXT, (row) => at(row).document),
    ],
  });
  const [table, column] = [tableSql(items.table), escapeIdentifier(items.column)];
  const keys = keyArray(
    layout,
    rows.map(({ key }) => key),
  );
  await client.query(
    `INSERT INTO ${table} (${column}) SELECT r.key FROM ${source.from("r")} ORDER BY r.key COLLATE "C"
     ON CONFLICT (${column}) DO NOTHING`,
    source.values,
  );
  await client.query(
    `SELECT 1 FROM ${table} WHERE ${column} = ANY ($1::text[]) ORDER BY ${column} FOR UPDATE`,
    [keys],
  );
  const merged = "(i.metadata || r.metadata) - ARRAY(SELECT jsonb_array_elements_text(r.removed))";
  await client.query(
    `UPDATE ${table} i
        SET metadata = CASE WHEN r.metadata IS NULL THEN i.metadata ELSE ${merge ? merged : "r.metadata"} END,
            document = CASE WHEN r.document IS NULL THEN i.document ELSE NULLIF(r.document, '') END
       FROM ${source.from("r")} WHERE i.${column} = r.key`,
    source.values,
  );
  // An item that has neither has no row.
  await client.query(
    `DELETE FROM ${table} WHERE ${column} = ANY ($1::text[]) AND metadata = '{}' AND document IS NULL`,
    [keys],
  );
  return changes.length;
}

async function holdVectors(
  client: PoolClient,
  collection: Collection,
  changes: readonly MetadataChange[],
): Promise<void> {
  const { layout } = collection;
  const { rows } = await client.query<{ key: string }>(
    `SELECT ${keySql(layout)}::text AS key FROM ${tableSql(layout.vectors)} v
      WHERE ${keySql(layout)} = ANY ($1::${layout.key.type}[]) ORDER BY ${keySql(layout)} FOR KEY SHARE`,
    [
      keyArray(
        layout,
        changes.map(({ key }) => key),
      ),
    ],
  );
  const found = new Set(rows.map(({ key }) => key));
  const position = changes.findIndex(({ key }) => !found.has(key));
  if (position === -1) return;
  const { key } = changes[position] as MetadataChange;
  throw new KindredError(
    "not-found",
    `keys[${position}]: the collection ${JSON.stringify(collection.name)} has no item ${JSON.stringify(key)}`,
    { metadata: { collection: collection.name, key } },
  );
}

/** The members that are set. In a merge, null removes one. */
function keptMembers({ metadata }: MetadataChange, merge: boolean): string | undefined {
  if (!metadata) return undefined;
  const members = Object.entries(metadata);
  return JSON.stringify(merge ? Object.fromEntries(members.filter(([, value]) => value !== null)) : metadata);
}

function removedMembers({ metadata }: MetadataChange): string {
  const members = Object.entries(metadata ?? {});
  return JSON.stringify(members.filter(([, value]) => value === null).map(([name]) => name));
}
