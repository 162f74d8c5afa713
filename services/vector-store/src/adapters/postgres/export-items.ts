import { streamTransaction, type Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import Cursor from "pg-cursor";
import { countDown } from "../../domain/call-limits.ts";
import type { Collection } from "../../domain/collection.ts";
import type { Item } from "../../domain/item.ts";
import type { CallLimits } from "../../domain/ports.ts";
import { listStatement, toItem, type ItemColumns, type ListQuery } from "./read-items.ts";

export type ExportQuery = Omit<ListQuery, "limit"> & { batchSize: number };

/** All items of one snapshot, by a cursor: see streamTransaction. */
export function snapshotItems(
  db: Database,
  collection: Collection,
  query: ExportQuery,
  limits: CallLimits,
): AsyncGenerator<Item[]> {
  return streamTransaction(db, (client) => cursorItems(client, collection, query), limits);
}

async function* cursorItems(
  client: PoolClient,
  collection: Collection,
  query: ExportQuery,
): AsyncGenerator<Item[]> {
  const { text, values } = listStatement(collection, { ...query, limit: undefined });
  const cursor = client.query(new Cursor<ItemColumns>(text, values));
  try {
    for (;;) {
      const rows = await cursor.read(query.batchSize);
      if (rows.length === 0) return;
      yield rows.map((row) => toItem(collection, query.projection, row));
    }
  } finally {
    await cursor.close();
  }
}

/**
 * All items page by page, a short transaction each, where one that stays open would make everybody else wait. It is no snapshot: what
 * is changed meanwhile may be seen or not; nothing is seen twice.
 */
export async function* pagedItems(
  db: Database,
  collection: Collection,
  query: ExportQuery,
  limits: CallLimits,
): AsyncGenerator<Item[]> {
  const left = countDown(limits);
  let { afterKey } = query;
  for (;;) {
    const statement = listStatement(collection, { ...query, afterKey, limit: query.batchSize });
    const { rows } = await db.statement<ItemColumns>(statement, { ...left(), readOnly: true });
    if (rows.length > 0) yield rows.map((row) => toItem(collection, query.projection, row));
    if (rows.length < query.batchSize) return;
    afterKey = rows.at(-1)?.key;
  }
}
