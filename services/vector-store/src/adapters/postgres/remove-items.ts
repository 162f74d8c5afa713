import { escapeIdentifier, type PoolClient } from "pg";
import type { Collection } from "../../domain/collection.ts";
import type { Filter } from "../../domain/filter.ts";
import { filterCondition } from "./filter-condition.ts";
import { keyArray } from "./item-keys.ts";
import { keySql, orderedSql, startStatement, tableSql } from "./sql.ts";

/** How many are deleted by one statement: their keys are in memory meanwhile. */
const BATCH_ROWS = 10_000;

export type WhichItems = { keys: readonly string[] } | { filter: Filter };

/**
 * Deletes items, and what is kept beside their vectors, in the order of their keys: whoever writes or deletes some of them at the same time
 * waits instead of deadlocking.
 */
export async function removeItems(
  client: PoolClient,
  collection: Collection,
  which: WhichItems,
): Promise<number> {
  let removed = 0;
  let afterKey: string | undefined;
  do {
    const keys = await removeVectors(client, collection, which, afterKey);
    if (keys.length > 0) await removeBeside(client, collection, keys);
    removed += keys.length;
    afterKey = keys.length === BATCH_ROWS ? keys.at(-1) : undefined;
  } while (afterKey !== undefined);
  return removed;
}

/** @returns the keys of those that are gone, ascending */
async function removeVectors(
  client: PoolClient,
  { layout }: Collection,
  which: WhichItems,
  afterKey: string | undefined,
): Promise<string[]> {
  const { values, parameter } = startStatement();
  const key = keySql(layout);
  const order = orderedSql(key, layout.key.type);
  const conditions = [
    "keys" in which
      ? `${key} = ANY (${parameter(keyArray(layout, which.keys))}::${layout.key.type}[])`
      : filterCondition(which.filter, layout, parameter, "filter"),
  ];
  if (afterKey !== undefined) conditions.push(`${order} > ${parameter(afterKey)}::${layout.key.type}`);
  const table = tableSql(layout.vectors);
  const { rows } = await client.query<{ key: string }>(
    `WITH doomed AS MATERIALIZED (
       SELECT ${key} AS key FROM ${table} v WHERE ${conditions.join(" AND ")}
        ORDER BY ${order} LIMIT ${BATCH_ROWS} FOR UPDATE
     ), gone AS (
       DELETE FROM ${table} v USING doomed d WHERE ${key} = d.key RETURNING ${key} AS key
     )
     SELECT v.key::text AS key FROM gone v ORDER BY ${orderedSql("v.key", layout.key.type)}`,
    values,
  );
  return rows.map((row) => row.key);
}

async function removeBeside(
  client: PoolClient,
  { layout }: Collection,
  keys: readonly string[],
): Promise<void> {
  const { items } = layout;
  if (!items) return;
  const column = escapeIdentifier(items.column);
  await client.query(
    `DELETE FROM ${tableSql(items.table)} WHERE ${column} = ANY ($1::${layout.key.type}[])`,
    [keyArray(layout, keys)],
  );
}
