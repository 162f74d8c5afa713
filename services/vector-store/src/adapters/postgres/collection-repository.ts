import { invalidField, KindredError } from "@kindred/errors";
import { isUniqueViolation, sqlStateOf, type Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { DataSource, FindOptionsWhere } from "typeorm";
import {
  changedCollection,
  requireMetric,
  requirePolicy,
  requireSpaceFits,
} from "../../domain/collection-changes.ts";
import { COLLECTION, noCollection, type Collection } from "../../domain/collection.ts";
import { countDown } from "../../domain/call-limits.ts";
import type { CallLimits } from "../../domain/ports.ts";
import { retryAborted } from "../../domain/retry-aborted.ts";
import type { CollectionRepository, NewCollection, NewRegistration } from "../../domain/item-ports.ts";
import { managedLayout, type TableName } from "../../domain/layout.ts";
import { policyValues, rowLayout, toCollection } from "./collection-rows.ts";
import { readStatistics } from "./collection-statistics.ts";
import { createTables, dropTables } from "./collection-tables.ts";
import { CollectionEntity, type CollectionRow } from "./entities.ts";
import { ensureTable, requireAsMade } from "./make-table.ts";
import { inspectTable, type ServingTable } from "./register-table.ts";
import { addSpace, readSpace } from "./space-pin.ts";
import { tableColumns } from "./table-columns.ts";
import { tableSql } from "./sql.ts";
import { translated } from "./translated.ts";

/** Counting a large table takes long; a caller that gives up ends it at any time. */
const COUNT_TIMEOUT_MS = 600_000;

const UNDEFINED_TABLE = "42P01";

/** Other replicas change collections too, and so does whoever alters a registered table. */
const FRESH_MS = 1000;

/**
 * Collections in this database. The data source stays the caller's.
 * @param endOperations asks the operations of a collection that is about to go to end: they hold locks on its tables
 */
export function collectionRepository(
  db: Database,
  dataSource: DataSource,
  endOperations: (name: string, limits: CallLimits) => Promise<void>,
): CollectionRepository {
  const cached = new Map<string, { collection: Promise<Collection>; at: number }>();
  const forget = (): void => cached.clear();

  const read = async (where: FindOptionsWhere<CollectionRow>): Promise<Collection[]> => {
    const rows = await translated(() =>
      dataSource.getRepository(CollectionEntity).find({ where, relations: { space: true } }),
    );
    const tables = rows.map((row) => rowLayout(row, db.schema).vectors);
    const columns = Map.groupBy(await tableColumns(db, tables), ({ table }) => tableSql(table));
    const collections = rows.map((row, i) =>
      toCollection(row, db.schema, columns.get(tableSql(tables[i] as TableName)) ?? []),
    );
    if (collections.some(({ layout }) => layout.vector.storage !== "json")) await noticeVector(db);
    return collections.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  };

  const readOne = async (name: string): Promise<Collection> => {
    const [collection] = await read({ name });
    if (!collection) throw noCollection(name);
    return collection;
  };

  const readAndKeep = async (name: string): Promise<Collection> => {
    const entry = { collection: readOne(name), at: performance.now() };
    cached.set(name, entry);
    try {
      return await entry.collection;
    } catch (error) {
      if (cached.get(name) === entry) cached.delete(name);
      throw error;
    }
  };

  /** Runs a change and gives the collection as it is then. */
  const changing = async (name: string, change: () => Promise<unknown>): Promise<Collection> => {
    try {
      await change();
    } catch (error) {
      if (!isUniqueViolation(error, "collections_pkey")) throw error;
      throw new KindredError("already-exists", `there is a collection ${JSON.stringify(name)} already`);
    } finally {
      forget();
    }
    return await readAndKeep(name);
  };

  return {
    forget,

    async get(name) {
      const known = cached.get(name);
      if (known && performance.now() - known.at < FRESH_MS) return await known.collection;
      return await readAndKeep(name);
    },

    list: () => read({}),

    create: (collection, limits) =>
      changing(collection.name, async () => {
        await noticeVector(db);
        await db.transaction((client) => create(db, client, collection), limits);
      }),

    register: (registration, limits) =>
      changing(registration.name, async () => {
        if (registration.newTable) await noticeVector(db);
        await db.transaction((client) => register(db, client, registration), limits);
      }),

    async update(name, changes, limits) {
      // Now, because in a transaction it would wait for another connection, which may wait for the transaction.
      const collection = await readOne(name);
      return await changing(name, () =>
        db.transaction(async (client) => {
          const pinned = await lockRow(client, name);
          // It may have been pinned meanwhile, and will not be before the commit.
          const space = pinned === undefined ? undefined : await readSpace(client, pinned);
          const changed = await changedCollection({ ...collection, space }, changes, () =>
            holdsVectors(client, collection.layout.vectors),
          );
          if (changed.space) await addSpace(client, changed.space);
          await client.query(
            `UPDATE collections SET metric = $2, recall_target = $3, index_kind = $4, index_m = $5,
               index_ef_construction = $6, index_lists = $7, index_quantization = $8, index_maintenance = $9,
               index_min_rows = $10, index_name = $11, space_id = $12 WHERE name = $1`,
            [name, ...policyValues(changed), changed.space?.id ?? null],
          );
        }, limits),
      );
    },

    async remove(name, limits) {
      const collection = await readOne(name);
      if (name === COLLECTION) {
        throw new KindredError(
          "failed-precondition",
          `the collection "${COLLECTION}" is always there: delete its images instead`,
        );
      }
      const left = countDown(patient(limits));
      await endOperations(name, left());
      try {
        // A search with a kept plan locks the items first, writers the vectors: each may hold what the other waits for, and no order of
        // ours is right for both. Giving way early (lock_timeout) was tried: under load it took longer than the second of deadlock_timeout.
        return await retryAborted(() =>
          db.transaction(async (client) => {
            await lockRow(client, name);
            const gone = collection.kind === "managed" ? await dropTables(client, collection) : 0n;
            await client.query("DELETE FROM collections WHERE name = $1", [name]);
            return gone;
          }, left()),
        );
      } finally {
        forget();
      }
    },

    async statistics(name, options, limits) {
      const collection = await readOne(name);
      try {
        return await db.transaction((client) => readStatistics(client, collection, options), {
          ...patient(limits),
          readOnly: true,
          isolation: "repeatable read",
        });
      } catch (error) {
        // It may have been deleted since it was read.
        if (collection.kind === "managed" && sqlStateOf(error) === UNDEFINED_TABLE) throw noCollection(name);
        throw error;
      }
    },
  };
}

/** pgvector may have been created since the service began; not to be called in a transaction. */
async function noticeVector(db: Database): Promise<void> {
  if (!db.capabilities.vector) await db.refreshCapabilities();
}

async function create(db: Database, client: PoolClient, collection: NewCollection): Promise<void> {
  const { vector } = db.capabilities;
  if (!vector && collection.elementType !== "vector") {
    throw new KindredError(
      "failed-precondition",
      `without pgvector there are no collections of ${collection.elementType}: create it with vector, which is kept as JSON, ` +
        "or have pgvector installed",
    );
  }
  if (!vector && collection.hashPartitions !== undefined) {
    throw new KindredError(
      "failed-precondition",
      "without pgvector, vectors are kept as JSON in one table: create the collection without hash_partitions, or have pgvector installed",
    );
  }
  const textSearchConfig = await knownConfig(client, collection.textSearchConfig);
  if (collection.space) await addSpace(client, collection.space);
  const { rows } = await client.query<{ id: number }>(
    `INSERT INTO collections (kind, name, dimensions, element_type, space_id, text_search_config,
       metric, recall_target, index_kind, index_m, index_ef_construction, index_lists, index_quantization,
       index_maintenance, index_min_rows, index_name, hash_partitions)
     VALUES ('managed', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING id`,
    [
      collection.name,
      collection.dimensions,
      collection.elementType,
      collection.space?.id ?? null,
      textSearchConfig ?? null,
      ...policyValues(collection),
      collection.hashPartitions ?? null,
    ],
  );
  const storage = vector ? collection.elementType : "json";
  const layout = managedLayout(db.schema, rows[0]?.id as number, 1, storage);
  await createTables(client, { ...collection, textSearchConfig, layout }, vector?.schema);
}

async function register(db: Database, client: PoolClient, registration: NewRegistration): Promise<void> {
  const found = await registrable(db, client, registration);
  const { elementType, dimensions } = found.vector;
  const metric = registration.metric ?? (elementType === "bit" ? "hamming" : "cosine");
  requireMetric(found.vector, metric, "metric");
  requirePolicy(registration.indexPolicy, found.vector, "index_policy");
  if (registration.space) requireSpaceFits({ dimensions }, registration.space, "space_id");
  const textSearchConfig = found.documentColumn
    ? await knownConfig(client, registration.textSearchConfig)
    : undefined;
  if (registration.space) await addSpace(client, registration.space);
  await client.query(
    `INSERT INTO collections (kind, name, dimensions, element_type, space_id, text_search_config, table_schema, table_name,
       key_column, key_type, vector_column, document_column,
       metric, recall_target, index_kind, index_m, index_ef_construction, index_lists, index_quantization,
       index_maintenance, index_min_rows, index_name)
     VALUES ('registered', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
    [
      registration.name,
      dimensions,
      elementType,
      registration.space?.id ?? null,
      textSearchConfig ?? null,
      found.table.schema,
      found.table.name,
      found.key.column,
      found.key.type,
      found.vector.column,
      found.documentColumn ?? null,
      ...policyValues({ ...registration, metric }),
    ],
  );
}

/** The table as it is, or as it was made. */
async function registrable(
  db: Database,
  client: PoolClient,
  { table, newTable }: NewRegistration,
): Promise<ServingTable> {
  if (!newTable) return await inspectTable(client, table, db.schema);
  const made = await ensureTable(client, table, newTable, {
    ownSchema: db.schema,
    vectorSchema: db.capabilities.vector?.schema,
  });
  const found = await inspectTable(client, made, db.schema);
  requireAsMade(found, newTable);
  return found;
}

/** As PostgreSQL writes the name of the text search configuration. */
async function knownConfig(client: PoolClient, wanted: string | undefined): Promise<string | undefined> {
  if (wanted === undefined) return undefined;
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.oid::regconfig::text AS name FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace
      WHERE (c.cfgname = $1 AND pg_ts_config_is_visible(c.oid)) OR n.nspname || '.' || c.cfgname = $1`,
    [wanted],
  );
  if (rows[0]) return rows[0].name;
  throw invalidField(
    "text_search_config",
    `must be a text search configuration of this database, e.g. "english" or "simple"; is ${JSON.stringify(wanted)}`,
  );
}

const patient = (limits: CallLimits): CallLimits => ({
  ...limits,
  timeoutMs: limits.timeoutMs ?? COUNT_TIMEOUT_MS,
});

/** Whoever writes is waited for, and waits until the end of the transaction. */
async function holdsVectors(client: PoolClient, table: TableName): Promise<boolean> {
  await client.query(`LOCK TABLE ${tableSql(table)} IN SHARE MODE`);
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM ${tableSql(table)}) AS found`,
  );
  return rows[0]?.found ?? false;
}

/** @returns the id of its space */
async function lockRow(client: PoolClient, name: string): Promise<string | undefined> {
  const { rows } = await client.query<{ space_id: string | null }>(
    "SELECT space_id FROM collections WHERE name = $1 FOR UPDATE",
    [name],
  );
  if (!rows[0]) throw noCollection(name);
  return rows[0].space_id ?? undefined;
}
