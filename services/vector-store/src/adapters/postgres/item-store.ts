import type { Database } from "@kindred/postgres";
import type { ItemStore } from "../../domain/item-ports.ts";
import type { Layout } from "../../domain/layout.ts";
import { pagedItems, snapshotItems } from "./export-items.ts";
import { knownKeys } from "./item-keys.ts";
import { getStatement, listStatement, toItem, type ItemColumns } from "./read-items.ts";
import { removeItems } from "./remove-items.ts";
import { storeItems } from "./store-items.ts";
import { tableSql } from "./sql.ts";
import { updateMetadata } from "./update-metadata.ts";

/** Ten thousand rows take long where an index has to take them in too; a caller that gives up ends it at any time. */
const WRITE_TIMEOUT_MS = 600_000;

/** Items in this database. What becomes of collections that change meanwhile is explained by itemsOfCurrent. */
export function itemStore(db: Database): ItemStore {
  return {
    store: (items, limits) =>
      storeItems(db, items, { ...limits, timeoutMs: limits.timeoutMs ?? WRITE_TIMEOUT_MS }),

    known: (collection, keys, limits) =>
      db.transaction((client) => knownKeys(client, collection.layout, keys), { ...limits, readOnly: true }),

    updateMetadata: (collection, changes, options, limits) =>
      db.transaction(
        (client) => updateMetadata(client, db.capabilities, collection, changes, options),
        limits,
      ),

    async get(collection, keys, projection, limits) {
      const { rows } = await db.statement<ItemColumns>(getStatement(collection, keys, projection), {
        ...limits,
        readOnly: true,
      });
      return rows.map((row) => toItem(collection, projection, row));
    },

    remove: (collection, which, limits) =>
      db.transaction((client) => removeItems(client, collection, which), {
        ...limits,
        timeoutMs: limits.timeoutMs ?? WRITE_TIMEOUT_MS,
      }),

    async list(collection, query, limits) {
      const { rows } = await db.statement<ItemColumns>(listStatement(collection, query), {
        ...limits,
        readOnly: true,
      });
      return rows.map((row) => toItem(collection, query.projection, row));
    },

    export: db.capabilities.concurrentSessions
      ? (...args) => snapshotItems(db, ...args)
      : (...args) => pagedItems(db, ...args),

    analyze: ({ layout }, limits) =>
      db.transaction((client) => client.query(`ANALYZE ${tablesOf(layout)}`).then(() => undefined), {
        ...limits,
        timeoutMs: limits.timeoutMs ?? WRITE_TIMEOUT_MS,
      }),

    async refreshStatistics({ name, kind, layout }) {
      // A user's table is the user's to look after.
      if (kind === "registered") return;
      try {
        // An index that is being built holds the lock for long.
        await db.query(`ANALYZE (SKIP_LOCKED) ${tablesOf(layout)}`);
      } catch (error) {
        db.logger.warn(
          { err: error, collection: name },
          "the planner's statistics could not be brought up to date",
        );
      }
    },
  };
}

function tablesOf({ vectors, items }: Layout): string {
  return [vectors, ...(items ? [items.table] : [])].map(tableSql).join(", ");
}
