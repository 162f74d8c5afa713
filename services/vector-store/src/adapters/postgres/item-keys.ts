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
  const { rows } = await client.query<{ key: string }>(
    `SELECT ${keySql(layout)}::text AS key FROM ${tableSql(layout.vectors)} v
      WHERE ${keySql(layout)} = ANY ($1::${layout.key.type}[])`,
    [keyArray(layout, keys)],
  );
  return new Set(rows.map(({ key }) => key));
}
