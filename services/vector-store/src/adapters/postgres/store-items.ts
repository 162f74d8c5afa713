import { isKindredError, KindredError, messageOf } from "@kindred/errors";
import { isUniqueViolation, sqlStateOf, type Database } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import type { Collection } from "../../domain/collection.ts";
import type { ItemRow } from "../../domain/item.ts";
import type { PreparedItems, StoredItems } from "../../domain/item-ports.ts";
import { compareKeys } from "../../domain/key-order.ts";
import { keyTaken } from "../../domain/key-taken.ts";
import type { CallLimits } from "../../domain/ports.ts";
import { rowColumn, type BinaryRows } from "./binary-rows.ts";
import { JSONB, TEXT } from "./binary-types.ts";
import { knownKeys, knownOfRange } from "./item-keys.ts";
import { KEY_TYPES } from "./key-types.ts";
import { pinSpace } from "./space-pin.ts";
import { tableSql } from "./sql.ts";
import { vectorType } from "./vector-columns.ts";
import { copyRows, isCopied, rowSource, type RowSource } from "./write-rows.ts";

const NOT_NULL_VIOLATION = "23502";
/** What is no table, and a key that the database makes itself: nothing can be written there. */
const NOT_WRITABLE = new Set(["42809", "428C9"]);

/**
 * Stores items in one transaction. Many that are new go straight into the tables; as soon as one of them is there already, all go
 * through a source of rows and ON CONFLICT. Rows are written in the order of their keys, vectors first: transactions with the same keys
 * wait for each other instead of deadlocking.
 */
export async function storeItems(
  db: Database,
  items: PreparedItems,
  limits: CallLimits,
): Promise<StoredItems> {
  const writing = toWriting(items);
  const inTransaction = (write: (client: PoolClient) => Promise<StoredItems>): Promise<StoredItems> =>
    db.transaction(async (client) => {
      if (items.space) await pinSpace(client, items.collection.name, items.space, items.collection.space);
      return await write(client);
    }, limits);
  try {
    if (isCopied(db.capabilities, { count: items.rows.length }, items.writeMethod)) {
      const stored = await unlessTaken(() => inTransaction((client) => copyNew(client, db, writing)));
      if (stored) return stored;
    }
    return await inTransaction((client) => insertFromSource(client, db, writing));
  } catch (error) {
    throw explained(error, items.collection);
  }
}

/** The items in the order in which they are written. */
interface Writing extends Pick<PreparedItems, "collection" | "onConflict" | "writeMethod"> {
  rows: readonly ItemRow[];
  /** Position of each row as it came. */
  positions: readonly number[];
}

function toWriting({ collection, rows, onConflict, writeMethod }: PreparedItems): Writing {
  const compare = compareKeys(collection.layout.key.type);
  const keyAt = (position: number): string => (rows[position] as ItemRow).key;
  const positions = [...rows.keys()].toSorted((a, b) => compare(keyAt(a), keyAt(b)));
  return {
    collection,
    onConflict,
    writeMethod,
    rows: positions.map((position) => rows[position] as ItemRow),
    positions,
  };
}

/** Undefined where a key turned out to be taken. */
async function unlessTaken<T>(work: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    // Somebody else added it a moment ago; or something else in a user's table is unique, which shows again on the other way.
    if (isUniqueViolation(error)) return undefined;
    throw error;
  }
}

/** @throws an error of the database that is a unique violation when a key is taken meanwhile */
async function copyNew(client: PoolClient, db: Database, writing: Writing): Promise<StoredItems> {
  const { collection, onConflict } = writing;
  const keys = writing.rows.map(({ key }) => key);
  // A user's text may have an index of another order.
  const lookUp = collection.kind === "managed" ? knownOfRange : knownKeys;
  const known = await lookUp(client, collection.layout, keys);
  if (known.size === 0) {
    await copyStraight(client, collection, writing.rows);
    return { inserted: writing.rows.length, replaced: 0, skipped: [] };
  }
  if (onConflict === "error") throw firstTaken(writing, ({ key }) => known.has(key));
  if (onConflict === "replace") return await insertFromSource(client, db, writing);
  const isNew = ({ key }: ItemRow): boolean => !known.has(key);
  const added = writing.rows.filter(isNew);
  if (added.length > 0) await copyStraight(client, collection, added);
  const skipped = writing.positions.filter((_, i) => !isNew(writing.rows[i] as ItemRow));
  return { inserted: added.length, replaced: 0, skipped: inOrder(skipped) };
}

async function copyStraight(
  client: PoolClient,
  collection: Collection,
  rows: readonly ItemRow[],
): Promise<void> {
  const { layout } = collection;
  await copyRows(client, tableSql(layout.vectors), {
    count: rows.length,
    columns: vectorColumns(collection, rows),
  });
  const rich = rows.filter(isRich);
  if (!layout.items || rich.length === 0) return;
  await copyRows(client, tableSql(layout.items.table), toItemRows(rich, layout.items.column));
}

/** What belongs in the items' table; an item without it has no row there. */
function isRich({ metadata, document }: ItemRow): boolean {
  return document !== undefined || (metadata !== undefined && Object.keys(metadata).length > 0);
}

function vectorColumns(collection: Collection, rows: readonly ItemRow[]): BinaryRows["columns"] {
  const { key, vector } = collection.layout;
  return [
    rowColumn(key.column, KEY_TYPES[key.type], (row) => (rows[row] as ItemRow).key),
    rowColumn(vector.column, vectorType(collection), (row) => (rows[row] as ItemRow).vector),
  ];
}

function toItemRows(rows: readonly ItemRow[], keyColumn: string): BinaryRows {
  return {
    count: rows.length,
    columns: [rowColumn(keyColumn, TEXT, (row) => (rows[row] as ItemRow).key), ...itemColumns(rows)],
  };
}

function itemColumns(rows: readonly ItemRow[]): BinaryRows["columns"] {
  return [
    rowColumn("metadata", JSONB, (row) => JSON.stringify((rows[row] as ItemRow).metadata ?? {})),
    rowColumn("document", TEXT, (row) => (rows[row] as ItemRow).document),
  ];
}

async function insertFromSource(client: PoolClient, db: Database, writing: Writing): Promise<StoredItems> {
  const { collection, onConflict, rows, positions } = writing;
  const columns = [...vectorColumns(collection, rows), ...(collection.layout.items ? itemColumns(rows) : [])];
  const source = await rowSource(
    client,
    db.capabilities,
    { count: rows.length, columns },
    writing.writeMethod,
  );
  const returned = await insertVectors(client, writing, source);
  const stored = new Set(returned.map(({ key }) => key));
  const skipped = positions.filter((_, i) => !stored.has((rows[i] as ItemRow).key));
  if (onConflict === "error" && skipped.length > 0) throw firstTaken(writing, ({ key }) => !stored.has(key));
  if (collection.layout.items) await writeItems(client, writing, source, stored);
  const inserted = returned.filter((row) => row.inserted).length;
  return { inserted, replaced: returned.length - inserted, skipped: inOrder(skipped) };
}

/** That of the rows as they came which stands first. */
function firstTaken(
  { collection, rows, positions }: Writing,
  isTaken: (row: ItemRow) => boolean,
): KindredError {
  const taken = positions.filter((_, i) => isTaken(rows[i] as ItemRow));
  const first = taken.reduce((lowest, position) => Math.min(lowest, position));
  return keyTaken(collection.name, (rows[positions.indexOf(first)] as ItemRow).key);
}

const inOrder = (positions: readonly number[]): number[] => positions.toSorted((a, b) => a - b);

interface WrittenVector {
  key: string;
  inserted: boolean;
}

/** The keys that were written; the others were there already and stayed. */
async function insertVectors(
  client: PoolClient,
  writing: Writing,
  source: RowSource,
): Promise<WrittenVector[]> {
  const { collection, onConflict } = writing;
  const { vectors, key, vector, updatedAt } = collection.layout;
  const [keyColumn, vectorColumn] = [escapeIdentifier(key.column), escapeIdentifier(vector.column)];
  const registered = collection.kind === "registered";
  const replaced = [`${vectorColumn} = excluded.${vectorColumn}`];
  // A new row was locked by nobody; one that was there is locked before it is updated.
  let isInserted = "v.xmax = 0";
  if (registered) {
    // Those that were there were updated before this; and the user's table may be partitioned.
    isInserted = "true";
  } else if (updatedAt !== undefined) {
    // Of users' tables only what they registered is written.
    const column = escapeIdentifier(updatedAt);
    if (collection.hashPartitions === undefined) {
      replaced.push(`${column} = excluded.${column}`);
    } else {
      // What goes through a partitioned table shows no xmax. A new row has the time of the transaction, others a moment later.
      replaced.push(`${column} = excluded.${column} + interval '1 microsecond'`);
      isInserted = `v.${column} = now()`;
    }
  }
  const action = onConflict === "replace" ? `UPDATE SET ${replaced.join(", ")}` : "NOTHING";
  const updated = registered && onConflict === "replace" ? await updateVectors(client, writing, source) : [];
  const isNew = `WHERE NOT EXISTS (SELECT FROM ${tableSql(vectors)} o WHERE o.${keyColumn} = r.${keyColumn})`;
  const { rows } = await client.query<WrittenVector>(
    `INSERT INTO ${tableSql(vectors)} AS v (${keyColumn}, ${vectorColumn})
     SELECT r.${keyColumn}, r.${vectorColumn} FROM ${source.from("r")} ${registered ? isNew : ""} ORDER BY ${orderSql(collection)}
     ON CONFLICT (${keyColumn}) DO ${action}
     RETURNING v.${keyColumn}::text AS key, ${isInserted} AS inserted`,
    source.values,
  );
  return [...updated, ...rows];
}

/**
 * Replaces vectors of a user's table whose keys are there. Its other columns may be NOT NULL without a default, which an INSERT
 * is refused for before it looks for conflicts.
 */
async function updateVectors(
  client: PoolClient,
  { collection }: Writing,
  source: RowSource,
): Promise<WrittenVector[]> {
  const { vectors, key, vector } = collection.layout;
  const [keyColumn, vectorColumn] = [escapeIdentifier(key.column), escapeIdentifier(vector.column)];
  const { rows } = await client.query<{ key: string }>(
    `WITH locked AS MATERIALIZED (
       SELECT r.${keyColumn} FROM ${tableSql(vectors)} o JOIN ${source.from("r")} ON o.${keyColumn} = r.${keyColumn}
        ORDER BY ${orderSql(collection)} FOR NO KEY UPDATE OF o
     )
     UPDATE ${tableSql(vectors)} v SET ${vectorColumn} = r.${vectorColumn}
       FROM locked l JOIN ${source.from("r")} ON r.${keyColumn} = l.${keyColumn} WHERE v.${keyColumn} = l.${keyColumn}
     RETURNING v.${keyColumn}::text AS key`,
    source.values,
  );
  return rows.map((row) => ({ key: row.key, inserted: false }));
}

function orderSql({ layout: { key } }: Collection): string {
  return `r.${escapeIdentifier(key.column)}${key.type === "text" ? ' COLLATE "C"' : ""}`;
}

/** What is kept beside the vectors that were written, whose rows are locked. */
async function writeItems(
  client: PoolClient,
  { collection, rows }: Writing,
  source: RowSource,
  stored: ReadonlySet<string>,
): Promise<void> {
  const { items, key } = collection.layout;
  if (!items) return;
  const written = rows.filter((row) => stored.has(row.key));
  const rich = written.filter(isRich).map((row) => row.key);
  const poor = written.filter((row) => !isRich(row)).map((row) => row.key);
  const [table, column] = [tableSql(items.table), escapeIdentifier(items.column)];
  const sourceKey = `r.${escapeIdentifier(key.column)}`;
  if (rich.length > 0) {
    await client.query(
      `INSERT INTO ${table} (${column}, metadata, document)
       SELECT ${sourceKey}, r.metadata, r.document FROM ${source.from("r")}
        WHERE ${sourceKey} = ANY ($${source.values.length + 1}::text[]) ORDER BY ${orderSql(collection)}
       ON CONFLICT (${column}) DO UPDATE SET metadata = excluded.metadata, document = excluded.document`,
      [...source.values, rich],
    );
  }
  if (poor.length > 0) await client.query(`DELETE FROM ${table} WHERE ${column} = ANY ($1::text[])`, [poor]);
}

/** Why a user's table takes no rows. */
function explained(error: unknown, collection: Collection): unknown {
  const state = sqlStateOf(error) ?? "";
  if (collection.kind !== "registered") return error;
  const refused = (why: string): KindredError =>
    new KindredError("failed-precondition", `the table of ${JSON.stringify(collection.name)} ${why}`, {
      cause: error,
    });
  if (NOT_WRITABLE.has(state)) return refused(`cannot be written to: ${messageOf(error)}`);
  if (state !== NOT_NULL_VIOLATION) return error;
  const column = isKindredError(error) ? error.metadata["column"] : undefined;
  return refused(
    `needs more than a key and a vector: give its column ${JSON.stringify(column ?? "")} a default, or add rows by SQL`,
  );
}
