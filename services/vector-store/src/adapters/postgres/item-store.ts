import { sqlStateOf, type Database } from "@kindred/postgres";
import { noCollection, type Collection } from "../../domain/collection.ts";
import type { ItemStore } from "../../domain/item-ports.ts";
import { pagedItems, snapshotItems } from "./export-items.ts";
import { knownKeys } from "./item-keys.ts";
import { getStatement, listStatement, toItem, type ItemColumns } from "./read-items.ts";
import { removeItems } from "./remove-items.ts";
import { storeItems } from "./store-items.ts";
import { tableSql } from "./sql.ts";
import { updateMetadata } from "./update-metadata.ts";

/** Ten thousand rows take long where an index has to take them in too; a caller that gives up ends it at any time. */
const WRITE_TIMEOUT_MS = 600_000;

const UNDEFINED_TABLE = "42P01";

/** Items in this database. */
export function itemStore(db: Database): ItemStore {
  return {
    store: (items, limits) =>
      ofCollection(items.collection, () =>
        storeItems(db, items, { ...limits, timeoutMs: limits.timeoutMs ?? WRITE_TIMEOUT_MS }),
      ),

    known: (collection, keys, limits) =>
      ofCollection(collection, () =>
        db.transaction((client) => knownKeys(client, collection.layout, keys), { ...limits, readOnly: true }),
      ),

    updateMetadata: (collection, changes, options, limits) =>
      ofCollection(collection, () =>
        db.transaction(
          (client) => updateMetadata(client, db.capabilities, collection, changes, options),
          limits,
        ),
      ),

    get: (collection, keys, projection, limits) =>
      ofCollection(collection, async () => {
        const { rows } = await db.statement<ItemColumns>(getStatement(collection, keys, projection), {
          ...limits,
          readOnly: true,
        });
        return rows.map((row) => toItem(collection, projection, row));
      }),

    remove: (collection, which, limits) =>
      ofCollection(collection, () =>
        db.transaction((client) => removeItems(client, collection, which), {
          ...limits,
          timeoutMs: limits.timeoutMs ?? WRITE_TIMEOUT_MS,
        }),
      ),

    list: (collection, query, limits) =>
      ofCollection(collection, async () => {
        const { rows } = await db.statement<ItemColumns>(listStatement(collection, query), {
          ...limits,
          readOnly: true,
        });
        return rows.map((row) => toItem(collection, query.projection, row));
      }),

    async *export(collection, query, limits) {
      const items = db.capabilities.concurrentSessions ? snapshotItems : pagedItems;
      try {
        yield* items(db, collection, query, limits);
      } catch (error) {
        throw explained(error, collection);
      }
    },

    async refreshStatistics({ name, kind, layout }) {
      // A user's table is the user's to look after.
      if (kind === "registered") return;
      const tables = [layout.vectors, ...(layout.items ? [layout.items.table] : [])].map(tableSql);
      try {
        // An index that is being built holds the lock for long.
        await db.query(`ANALYZE (SKIP_LOCKED) ${tables.join(", ")}`);
      } catch (error) {
        db.logger.warn(
          { err: error, collection: name },
          "the planner's statistics could not be brought up to date",
        );
      }
    },
  };
}

async function ofCollection<T>(collection: Collection, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explained(error, collection);
  }
}

/** A collection that was deleted a moment ago is remembered still. */
function explained(error: unknown, { name, kind }: Collection): unknown {
  return kind === "managed" && sqlStateOf(error) === UNDEFINED_TABLE ? noCollection(name) : error;
}
