import type { Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import Cursor from "pg-cursor";
import { countDown } from "../../domain/call-limits.ts";
import type { Collection } from "../../domain/collection.ts";
import type { Item } from "../../domain/item.ts";
import type { CallLimits } from "../../domain/ports.ts";
import { listStatement, toItem, type ItemColumns, type ListQuery } from "./read-items.ts";

export type ExportQuery = Omit<ListQuery, "limit"> & { batchSize: number };

/**
 * All items of one snapshot, by a cursor; the transaction lasts until the iteration ends. While a batch is looked at the server makes
 * the next one, so that at most two are in memory, however slow the reader is.
 */
export async function* snapshotItems(
  db: Database,
  collection: Collection,
  query: ExportQuery,
  limits: CallLimits,
): AsyncGenerator<Item[]> {
  const abandoned = new AbortController();
  const signals = [abandoned.signal];
  if (limits.signal) signals.push(limits.signal);
  if (limits.timeoutMs !== undefined) signals.push(AbortSignal.timeout(limits.timeoutMs));
  const signal = AbortSignal.any(signals);
  const { readable, writable } = new TransformStream<Item[], Item[]>();
  const writer = writable.getWriter();
  // A reader that takes nothing any more would hold the transaction open for ever.
  signal.addEventListener("abort", () => void writer.abort(signal.reason).catch(() => {}), { once: true });
  const running = db.transaction(
    async (client) => {
      for await (const items of cursorItems(client, collection, query)) await writer.write(items);
    },
    {
      signal,
      // The time of its statement is that of the whole export, and so is the time it is idle for a slow reader.
      timeoutMs: limits.timeoutMs ?? 0,
      isolation: "repeatable read",
      readOnly: true,
      settings: { idle_in_transaction_session_timeout: 0 },
    },
  );
  running
    .then(
      () => writer.close(),
      (error: unknown) => writer.abort(error),
    )
    .catch(() => {});
  try {
    yield* readable;
    await running;
  } catch (error) {
    // What ended the transaction says more than the broken stream does.
    await running;
    throw error;
  } finally {
    abandoned.abort();
    await running.catch(() => {});
  }
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
