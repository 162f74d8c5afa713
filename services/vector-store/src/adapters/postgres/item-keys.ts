import type { ClientBase } from "pg";
import type { Layout } from "../../domain/layout.ts";
import { rowColumn, binaryArray } from "./binary-rows.ts";
import { KEY_TYPES } from "./key-types.ts";
import { keySql, tableSql } from "./sql.ts";

/** A parameter with its cast removed: keys as an array for `= ANY ($1::<type>[])`. */
export function keyArray({ key }: Pick<Layout, "key">, keys: readonly string[]): Buffer {
  const type = KEY_TYPES[key.type];
  return binaryArray(
    rowColumn(key.column, type, (row) => keys[row]),
    keys.length,
    type.oid as number,
  );
}

/** Which of the keys are there. */
export async function knownKeys(
  client: Pick<ClientBase, "query">,
  layout: Layout,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  return await selectKeys(client, layout, keys, "");
}

/**
 * The same for a collection whose key's index has the order of compareKeys. Keys that are all behind those which are there, or
 * between two of them, are looked up at once and not one by one.
 * @param keys ascending, at least one
 */
export async function knownOfRange(
  client: Pick<ClientBase, "query">,
  layout: Layout,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const { type } = layout.key;
  // It depends on nothing of the row, and so is asked once, before any key.
  const inRange = `AND (SELECT EXISTS (
    SELECT 1 FROM ${tableSql(layout.vectors)} v WHERE ${keySql(layout)} BETWEEN $2::${type} AND $3::${type}))`;
  return await selectKeys(client, layout, keys, inRange, [keys[0], keys.at(-1)]);
}

async function selectKeys(
  client: Pick<ClientBase, "query">,
  layout: Layout,
  keys: readonly string[],
  condition: string,
  values: readonly unknown[] = [],
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ key: string }>(
    `SELECT ${keySql(layout)}::text AS key FROM ${tableSql(layout.vectors)} v
      WHERE ${keySql(layout)} = ANY ($1::${layout.key.type}[]) ${condition}`,
    [keyArray(layout, keys), ...values],
  );
  return new Set(rows.map(({ key }) => key));
}
