import type { Collection } from "../../../domain/collection.ts";
import type { TableName } from "../../../domain/layout.ts";
import { vectorIndexes, type TableIndex } from "../index-catalogue.ts";
import { tableSql } from "../sql.ts";

interface Queryable {
  query(sql: string, params: unknown[]): Promise<{ rows: unknown[] }>;
}

/** A partition, and its size in blocks. */
export interface Partition {
  table: TableName;
  blocks: number;
}

/** The partitions of a table, by name; undefined for one that is not partitioned. */
export async function partitionsOf(db: Queryable, table: TableName): Promise<Partition[] | undefined> {
  const { rows } = await db.query(
    `SELECT t.relkind = 'p' AS partitioned, n.nspname AS schema, c.relname AS name,
            (pg_relation_size(c.oid) / current_setting('block_size')::bigint)::float8 AS blocks
       FROM pg_class t
       LEFT JOIN pg_inherits h ON h.inhparent = t.oid AND t.relkind = 'p'
       LEFT JOIN pg_class c ON c.oid = h.inhrelid
       LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE t.oid = to_regclass($1)
      ORDER BY c.relname COLLATE "C"`,
    [tableSql(table)],
  );
  const found = rows as {
    partitioned: boolean;
    schema: string | null;
    name: string | null;
    blocks: number;
  }[];
  if (!found[0]?.partitioned) return undefined;
  return found.flatMap(({ schema, name, blocks }) =>
    schema === null || name === null ? [] : [{ table: { schema, name }, blocks }],
  );
}

/** An index of the collection's vectors by its name. */
export async function findIndex(
  db: Queryable,
  { layout }: Collection,
  name: string,
  table: TableName = layout.vectors,
): Promise<TableIndex | undefined> {
  const indexes = await vectorIndexes(db, table);
  return indexes.find((index) => index.name === name && index.column === layout.vector.column);
}

/** Rows in an index, as they were counted when it was built; of a partitioned one those of its parts. */
export async function indexedRows(db: Queryable, oid: number): Promise<number> {
  const { rows } = await db.query(
    `SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::float8 AS rows
       FROM (SELECT $1::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree($1::oid)) p
       JOIN pg_class c ON c.oid = p.oid AND c.relkind = 'i'`,
    [oid],
  );
  return Math.round((rows as { rows: number }[])[0]?.rows ?? 0);
}

/** The parts of a partitioned index that are attached to it, by the name of their partition. */
export async function attachedParts(
  db: Queryable,
  index: TableName,
): Promise<{ name: string; table: string; valid: boolean }[]> {
  const { rows } = await db.query(
    `SELECT c.relname AS name, t.relname AS "table", i.indisvalid AS valid
       FROM pg_inherits h
       JOIN pg_index i ON i.indexrelid = h.inhrelid
       JOIN pg_class c ON c.oid = i.indexrelid
       JOIN pg_class t ON t.oid = i.indrelid
      WHERE h.inhparent = to_regclass($1)
      ORDER BY t.relname COLLATE "C"`,
    [tableSql(index)],
  );
  return rows as { name: string; table: string; valid: boolean }[];
}
