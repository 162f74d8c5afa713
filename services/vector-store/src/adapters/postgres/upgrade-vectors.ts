import { setTimeout as sleep } from "node:timers/promises";
import { KindredError } from "@kindred/errors";
import { sqlStateOf, translatePgError, type Database } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import { COLLECTION, vectorBytes } from "../../domain/collection.ts";
import { imagesLayout, managedLayout, type Layout } from "../../domain/layout.ts";
import { tableSql } from "./sql.ts";
import { noteChangesNoMore } from "./vector-changes.ts";

/** What the new column is called until it takes the place of the old one. */
const NEW_COLUMN = "embedding_vector";
const FORGETTER = "forget_embedding_vector";

const BATCH_ROWS = 500;
/** What is left for the transaction that holds the table's lock. */
const LAST_ROWS = 1000;
/** Others wait behind whoever waits for the lock of a table; so it is asked for briefly, and again a moment later. */
const LOCK_TIMEOUT_MS = 1000;
const LOCK_PAUSE_MS = 500;
const LOCK_ATTEMPTS = 120;
const LOCK_NOT_AVAILABLE = "55P03";
const DEADLOCK = "40P01";

/** A wider vector would be moved out of its row anyway. */
const PLAIN_BYTES = 7000;
/** Keys of a report; there may be any number of bad rows. */
const MOST_KEYS = 100;

export interface UpgradeProgress {
  phase: "convert" | "swap";
  collection: string;
  /** Rows. */
  done: number;
  total: number;
}

export interface UpgradeReport {
  converted: { collection: string; rows: number }[];
  /** Collections with rows whose vectors are none; they are as they were. */
  refused: { collection: string; rows: number; /** The first hundred. */ keys: string[] }[];
}

interface JsonTable {
  collection: string;
  dimensions: number;
  layout: Layout;
}

/**
 * Turns vectors that are kept as JSON into pgvector's, collection by collection, while services read and write them. A second column
 * is filled in short transactions, and takes the place of the first in another one. What is done stays done: after a kill at any
 * point, the next call goes on from there. pgvector has to be installed.
 *
 * A vector that is replaced after it was converted loses its new form by a trigger, in the statement that replaces it, and is
 * converted again. Keys, the order of rows and all other columns stay.
 * @throws KindredError aborted while another upgrade runs, and when a table's lock cannot be had
 */
export async function upgradeVectors(
  db: Database,
  onProgress: (progress: UpgradeProgress) => void,
): Promise<UpgradeReport> {
  let client: PoolClient | undefined;
  try {
    client = await db.pool.acquire();
    await client.query("SET statement_timeout = 0");
    if (db.capabilities.advisoryLocks) await lockUpgrade(client, db.schema);
    const report: UpgradeReport = { converted: [], refused: [] };
    for (const table of await jsonTables(client, db.schema))
      await upgradeTable({ client, db, table, onProgress }, report);
    // The server notices a moment later that a connection is closed; the next upgrade may begin before.
    if (db.capabilities.advisoryLocks) await client.query("SELECT pg_advisory_unlock_all()");
    return report;
  } catch (error) {
    throw translatePgError(error);
  } finally {
    // Closing the connection gives back the lock, and what the session was set to.
    client?.release(true);
  }
}

async function lockUpgrade(client: PoolClient, schema: string): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked",
    [`kindred/upgrade-vectors/${schema}`],
  );
  if (!rows[0]?.locked)
    throw new KindredError("aborted", "another upgrade of this database's vectors is running");
}

/** Collections with tables of the store's whose vectors are JSON, by name. */
async function jsonTables(client: PoolClient, schema: string): Promise<JsonTable[]> {
  const { rows } = await client.query<{ id: number; name: string; dimensions: number }>(
    `SELECT id, name, dimensions FROM ${escapeIdentifier(schema)}.collections ORDER BY name COLLATE "C"`,
  );
  const tables = rows.map(({ id, name, dimensions }) => ({
    collection: name,
    dimensions,
    layout: name === COLLECTION ? imagesLayout(schema, "json") : managedLayout(schema, id, 1, "json"),
  }));
  const { rows: found } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND NOT a.attisdropped
        AND a.attname = $2 AND a.atttypid = 'jsonb'::regtype`,
    [escapeIdentifier(schema), imagesLayout(schema, "json").vector.column],
  );
  const names = new Set(found.map(({ name }) => name));
  return tables.filter(({ layout }) => names.has(layout.vectors.name));
}

interface Step {
  client: PoolClient;
  db: Database;
  table: JsonTable;
  onProgress: (progress: UpgradeProgress) => void;
}

async function upgradeTable(step: Step, report: UpgradeReport): Promise<void> {
  const { collection } = step.table;
  await addColumn(step);
  await convertRows(step);
  const bad = (await badRows(step)) ?? (await swapColumns(step));
  if (typeof bad === "object") report.refused.push({ collection, ...bad });
  else report.converted.push({ collection, rows: bad });
}

const vectorType = ({ db, table }: Step): string =>
  `${escapeIdentifier(db.capabilities.vector?.schema ?? "public")}.vector(${table.dimensions})`;

/** The new column, and the trigger that empties it where the old one is written. Once they are there, nothing happens. */
async function addColumn(step: Step): Promise<void> {
  const { client, db, table } = step;
  const name = tableSql(table.layout.vectors);
  const forgetter = `${escapeIdentifier(db.schema)}.${FORGETTER}`;
  const plain = vectorBytes({ elementType: "vector", dimensions: table.dimensions }) <= PLAIN_BYTES;
  const { rows } = await client.query(
    `SELECT FROM pg_attribute a JOIN pg_trigger t ON t.tgrelid = a.attrelid
      WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped AND t.tgname = $3`,
    [name, NEW_COLUMN, FORGETTER],
  );
  if (rows.length > 0) return;
  await withLock(step, async () => {
    await client.query(`
      ALTER TABLE ${name} ADD COLUMN IF NOT EXISTS ${NEW_COLUMN} ${vectorType(step)},
        ALTER COLUMN ${NEW_COLUMN} SET STATISTICS 0
        ${plain ? `, ALTER COLUMN ${NEW_COLUMN} SET STORAGE PLAIN` : ""}`);
    await client.query(`
      CREATE OR REPLACE FUNCTION ${forgetter}() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.${NEW_COLUMN} := NULL;
        RETURN NEW;
      END $$`);
    const column = escapeIdentifier(table.layout.vector.column);
    await client.query(`
      CREATE OR REPLACE TRIGGER ${FORGETTER} BEFORE UPDATE OF ${column} ON ${name}
        FOR EACH ROW EXECUTE FUNCTION ${forgetter}()`);
    await client.query(`ALTER TABLE ${name} ENABLE ALWAYS TRIGGER ${FORGETTER}`);
  });
}

/** Whether pgvector takes the JSON for a vector of these dimensions. */
function valid({ table: { layout, dimensions } }: Step): string {
  const json = `v.${escapeIdentifier(layout.vector.column)}`;
  // In this order: each part relies on those before it.
  return `CASE WHEN jsonb_typeof(${json}) <> 'array' THEN false
               WHEN jsonb_array_length(${json}) <> ${dimensions} THEN false
               WHEN jsonb_path_exists(${json}, 'strict $[*] ? (@.type() != "number")') THEN false
               ELSE NOT jsonb_path_exists(${json}, '$[*] ? (@ > 3.4028235e38 || @ < -3.4028235e38)') END`;
}

const converted = (step: Step): string =>
  `v.${escapeIdentifier(step.table.layout.vector.column)}::text::${vectorType(step)}`;

/** Goes through the rows that are not converted, by key, until few are left: services write on meanwhile. */
async function convertRows(step: Step): Promise<void> {
  const { client, table, onProgress } = step;
  const name = tableSql(table.layout.vectors);
  const { rows } = await client.query<{ done: string; total: string }>(
    `SELECT count(${NEW_COLUMN}) AS done, count(*) AS total FROM ${name}`,
  );
  const total = Number(rows[0]?.total);
  let done = Number(rows[0]?.done);
  const say = (): void =>
    onProgress({ phase: "convert", collection: table.collection, done, total: Math.max(done, total) });
  say();
  let before: number;
  do {
    before = done;
    let last: string | undefined;
    for (;;) {
      const batch = await convertBatch(step, last);
      done += batch.converted;
      if (batch.last === null) break;
      last = batch.last;
      say();
    }
  } while (done - before > LAST_ROWS);
}

async function convertBatch(
  step: Step,
  after: string | undefined,
): Promise<{ last: string | null; converted: number }> {
  const { client, table } = step;
  const name = tableSql(table.layout.vectors);
  const key = escapeIdentifier(table.layout.key.column);
  // Rows are locked in the order of their keys, as writers lock them.
  const text = `
    WITH batch AS MATERIALIZED (
      SELECT v.${key} AS key FROM ${name} v
       WHERE v.${NEW_COLUMN} IS NULL ${after === undefined ? "" : `AND v.${key} > $1::${table.layout.key.type}`}
       ORDER BY v.${key} LIMIT ${BATCH_ROWS} FOR NO KEY UPDATE
    ), done AS (
      UPDATE ${name} v SET ${NEW_COLUMN} = ${converted(step)} FROM batch b WHERE v.${key} = b.key AND ${valid(step)}
      RETURNING 1
    )
    SELECT (SELECT key::text FROM batch ORDER BY batch.key DESC LIMIT 1) AS last, (SELECT count(*) FROM done) AS converted`;
  for (;;) {
    try {
      const { rows } = await client.query<{ last: string | null; converted: string }>(
        text,
        after === undefined ? [] : [after],
      );
      return { last: rows[0]?.last ?? null, converted: Number(rows[0]?.converted) };
    } catch (error) {
      // Somebody locked rows in another order; they go on now.
      if (sqlStateOf(error) !== DEADLOCK) throw error;
    }
  }
}

/** Rows that cannot be converted, by key; undefined when there are none. */
async function badRows(step: Step): Promise<{ rows: number; keys: string[] } | undefined> {
  const { client, table } = step;
  const key = escapeIdentifier(table.layout.key.column);
  const { rows } = await client.query<{ key: string; count: string }>(
    `SELECT v.${key}::text AS key, count(*) OVER () AS count FROM ${tableSql(table.layout.vectors)} v
      WHERE v.${NEW_COLUMN} IS NULL AND NOT ${valid(step)} ORDER BY v.${key} LIMIT ${MOST_KEYS}`,
  );
  return rows[0] && { rows: Number(rows[0].count), keys: rows.map((row) => row.key) };
}

/** Puts the new column in the place of the old one. @returns how many rows there are, or those that are bad. */
async function swapColumns(step: Step): Promise<number | { rows: number; keys: string[] }> {
  const { client, db, table, onProgress } = step;
  const name = tableSql(table.layout.vectors);
  const column = escapeIdentifier(table.layout.vector.column);
  const result = await withLock(step, async () => {
    await client.query(
      `UPDATE ${name} v SET ${NEW_COLUMN} = ${converted(step)} WHERE v.${NEW_COLUMN} IS NULL AND ${valid(step)}`,
    );
    const bad = await badRows(step);
    if (bad) return bad;
    await noteChangesNoMore(client, db.schema, table.layout.vectors);
    await client.query(`DROP TRIGGER ${FORGETTER} ON ${name}`);
    await client.query(`ALTER TABLE ${name} ALTER COLUMN ${NEW_COLUMN} SET NOT NULL, DROP COLUMN ${column}`);
    await client.query(`ALTER TABLE ${name} RENAME COLUMN ${NEW_COLUMN} TO ${column}`);
    const { rows } = await client.query<{ count: string }>(`SELECT count(*) AS count FROM ${name}`);
    return Number(rows[0]?.count);
  });
  if (typeof result === "object") return result;
  onProgress({ phase: "swap", collection: table.collection, done: result, total: result });
  await client.query(`ANALYZE ${name}`);
  return result;
}

/**
 * Work in a transaction that nobody else reads or writes the table in.
 * @throws KindredError aborted when somebody kept the table for a minute or more
 */
async function withLock<T>({ client, table }: Step, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query("BEGIN");
      await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await client.query(`LOCK TABLE ${tableSql(table.layout.vectors)} IN ACCESS EXCLUSIVE MODE`);
      const result = await work();
      await client.query("COMMIT");
      return result;
    } catch (error) {
      await client.query("ROLLBACK");
      if (![LOCK_NOT_AVAILABLE, DEADLOCK].includes(sqlStateOf(error) ?? "") || attempt === LOCK_ATTEMPTS)
        throw error;
      await sleep(LOCK_PAUSE_MS);
    }
  }
}
