import type { Database } from "@kindred/postgres";
import type { ClientBase, PoolClient } from "pg";
import Cursor from "pg-cursor";
import type { Collection } from "../../domain/collection.ts";
import type { Filter } from "../../domain/filter.ts";
import { IMAGE_ID_FIELD, type KeyType, type Layout } from "../../domain/layout.ts";
import type { CallLimits } from "../../domain/ports.ts";
import { filterCondition } from "./filter-condition.ts";
import { columnSql, keySql, orderedSql, startStatement, tableSql, type Statement } from "./sql.ts";

/** Rows in the order that decides between equal distances: see rankColumns. */
export interface JsonVectorRows {
  keys: string[];
  /** JSON texts, a vector each; empty where they were not asked for. */
  vectors: string[];
}

export interface JsonVectorQuery {
  collection: Pick<Collection, "kind" | "layout">;
  filter: Filter | undefined;
  /** Whether vectors are wanted besides keys. */
  vectors: boolean;
  /** How many at a time. */
  rows: number;
}

/** A connection or a pool of them. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** Row of the cursor or page: the columns of the order as text, the vector last. */
type RawRow = string[];

/** Everything as the text that the server sends: keys are compared as text, and vectors are parsed where time is looked after. */
const AS_TEXT = { getTypeParser: () => (value: unknown) => value };

/**
 * Columns of the vectors' table whose order decides between hits of equal distance; the key comes last. In the images catalogue an
 * image's embeddings stand together.
 */
function rankColumns({ kind, layout }: JsonVectorQuery["collection"]): { column: string; type: KeyType }[] {
  return kind === "images" ? [{ column: IMAGE_ID_FIELD, type: "bigint" }, layout.key] : [layout.key];
}

const ordered = ({ column, type }: Layout["key"]): string => orderedSql(columnSql("vectors", column), type);

/** The column itself and no function of it is selected, so that a sort carries references to vectors and not their texts. */
function selectStatement(query: JsonVectorQuery, after: RawRow | undefined, limited: boolean): Statement {
  const { values, parameter } = startStatement();
  const { collection, filter } = query;
  const { layout } = collection;
  const ranks = rankColumns(collection);
  const order = ranks.map(ordered).join(", ");
  const conditions: string[] = [];
  if (filter) conditions.push(filterCondition(filter, layout, parameter));
  if (after) {
    const last = ranks.map(({ type }, i) => `${parameter(after[i])}::${type}`);
    conditions.push(`(${order}) > (${last.join(", ")})`);
  }
  const columns = ranks.map(({ column }) => columnSql("vectors", column));
  if (query.vectors) columns.push(columnSql("vectors", layout.vector.column));
  const text = `
    SELECT ${columns.join(", ")} FROM ${tableSql(layout.vectors)} v
     ${conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : ""}
     ORDER BY ${order}${limited ? ` LIMIT ${parameter(query.rows)}` : ""}`;
  return { text, values };
}

function toRows(query: JsonVectorQuery, raw: readonly RawRow[]): JsonVectorRows {
  const key = rankColumns(query.collection).length - 1;
  return {
    keys: raw.map((row) => row[key] as string),
    vectors: query.vectors ? raw.map((row) => row[key + 1] as string) : [],
  };
}

/**
 * Rows by a cursor of the transaction that the client is in. While a block is looked at, the server makes the next one; at most
 * two of them are in memory.
 */
export async function* cursorRows(
  client: ClientBase,
  query: JsonVectorQuery,
): AsyncGenerator<JsonVectorRows> {
  const { text, values } = selectStatement(query, undefined, false);
  const cursor = client.query(new Cursor<RawRow>(text, values, { rowMode: "array", types: AS_TEXT }));
  const read = (): Promise<RawRow[]> => {
    const reading = cursor.read(query.rows);
    // Whoever awaits it gets the error; nobody may be left to.
    reading.catch(() => {});
    return reading;
  };
  let next = read();
  try {
    for (;;) {
      const raw = await next;
      if (raw.length === 0) return;
      next = read();
      yield toRows(query, raw);
    }
  } finally {
    // What was asked for has to come before a cursor can be closed.
    await next.catch(() => {});
    await cursor.close();
  }
}

/**
 * Rows by pages, a short transaction each, where one that stays open would make everybody else wait. What is changed meanwhile
 * may be seen or not.
 */
export async function* pagedRows(
  db: Database,
  query: JsonVectorQuery,
  left: () => CallLimits,
): AsyncGenerator<JsonVectorRows> {
  let after: RawRow | undefined;
  for (;;) {
    const { text, values } = selectStatement(query, after, true);
    const { rows } = await db.transaction(
      (client) => client.query<RawRow>({ text, values, rowMode: "array", types: AS_TEXT }),
      { ...left(), readOnly: true },
    );
    if (rows.length > 0) yield toRows(query, rows);
    if (rows.length < query.rows) return;
    after = rows.at(-1);
  }
}

/**
 * A transaction that sees one state of the collection's vectors. Their table is locked, against nothing but changes of its
 * columns, before the snapshot is taken: one from before a column was replaced, or TRUNCATE, would see rows without vectors, or none.
 */
export function withSnapshot<T>(
  db: Database,
  { layout }: Pick<Collection, "layout">,
  limits: CallLimits,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  return db.transaction(
    async (client) => {
      await client.query(`LOCK TABLE ${tableSql(layout.vectors)} IN ACCESS SHARE MODE`);
      return await work(client);
    },
    { ...limits, readOnly: true, isolation: "repeatable read" },
  );
}

/** How many rows there are in the snapshot of the transaction, and how many bytes their keys have. */
export async function measureRows(
  client: Queryable,
  { layout }: Pick<Collection, "layout">,
): Promise<{ rows: number; keyBytes: number }> {
  const { rows } = await client.query(
    `SELECT count(*) AS rows, coalesce(sum(octet_length(${keySql(layout)}::text)), 0) AS "keyBytes"
       FROM ${tableSql(layout.vectors)} v`,
  );
  const [measured] = rows as { rows: string; keyBytes: string }[];
  return { rows: Number(measured?.rows), keyBytes: Number(measured?.keyBytes) };
}

/** The vectors with these keys. */
export async function rowsByKey(
  client: Queryable,
  { layout }: Pick<Collection, "layout">,
  keys: readonly string[],
): Promise<JsonVectorRows> {
  const { rows } = await client.query(
    `SELECT ${keySql(layout)}::text AS key, ${columnSql("vectors", layout.vector.column)}::text AS vector
       FROM ${tableSql(layout.vectors)} v WHERE ${keySql(layout)} = ANY ($1::${layout.key.type}[])`,
    [[...keys]],
  );
  const found = rows as { key: string; vector: string }[];
  return { keys: found.map(({ key }) => key), vectors: found.map(({ vector }) => vector) };
}
