import type { Database } from "./database.ts";
import type { PoolStats } from "./pool.ts";
import type { TransactionOptions } from "./transaction.ts";

/** What a schema's tables take, and the connections of this process at this moment. */
export interface DatabaseUsage {
  schema: string;
  /** By name; partitions count to the table that they are of. */
  tables: TableUsage[];
  pool: PoolStats;
  /** E.g. "17.9". */
  serverVersion: string;
}

export interface TableUsage {
  /** With its schema in front where that is not the one that was asked for. */
  name: string;
  /** Rows as PostgreSQL estimates them; absent before it has gathered statistics. */
  estimatedRows?: bigint;
  /** The rows with what is stored beside them (TOAST, free space map), without indexes. */
  tableBytes: bigint;
  indexBytes: bigint;
  /** Those that hold rows; 0 of a table that has none. */
  partitions: number;
}

export interface DatabaseUsageOptions extends Pick<TransactionOptions, "signal" | "timeoutMs"> {
  /** Tables in other schemas that belong to it. One that is not there, or no longer, is left out. */
  others?: readonly { schema: string; name: string }[];
}

interface UsageRow {
  name: string;
  estimated_rows: string | null;
  table_bytes: string;
  index_bytes: string;
  partitions: number;
}

/**
 * Rows are those of the last ANALYZE or VACUUM times the growth since then, as the planner has it (estimate_rel_size in
 * plancat.c); a table that takes no space has none. Sizes of a table that is dropped meanwhile come as null.
 */
const USAGE = `
  WITH RECURSIVE roots AS (
    SELECT oid FROM pg_class
     WHERE relnamespace = to_regnamespace(quote_ident($1))::oid AND relkind IN ('r', 'p') AND NOT relispartition
     UNION
    SELECT to_regclass(format('%I.%I', o.schema, o.name))::oid FROM unnest($2::text[], $3::text[]) AS o (schema, name)
  ), parts AS (
    SELECT oid AS root, oid FROM roots WHERE oid IS NOT NULL
     UNION ALL
    SELECT p.root, c.oid
      FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid JOIN pg_class c ON c.oid = i.inhrelid
     WHERE c.relispartition
  ), measured AS (
    SELECT p.root, p.oid, c.relkind,
           coalesce(pg_table_size(p.oid), 0) AS table_bytes,
           coalesce(pg_indexes_size(p.oid), 0) AS index_bytes,
           CASE WHEN c.relkind = 'p' THEN 0
                WHEN coalesce(pg_relation_size(p.oid), 0) = 0 THEN 0
                WHEN c.reltuples >= 0 AND c.relpages > 0
                THEN c.reltuples::float8 / c.relpages * (pg_relation_size(p.oid) / current_setting('block_size')::int)
           END AS rows
      FROM parts p JOIN pg_class c ON c.oid = p.oid
  )
  SELECT (CASE WHEN n.nspname = $1 THEN r.relname ELSE n.nspname || '.' || r.relname END) COLLATE "C" AS name,
         CASE WHEN bool_and(m.rows IS NOT NULL) THEN round(sum(m.rows))::int8 END AS estimated_rows,
         sum(m.table_bytes)::int8 AS table_bytes,
         sum(m.index_bytes)::int8 AS index_bytes,
         (count(*) FILTER (WHERE m.oid <> m.root AND m.relkind <> 'p'))::int4 AS partitions
    FROM measured m JOIN pg_class r ON r.oid = m.root JOIN pg_namespace n ON n.oid = r.relnamespace
   GROUP BY r.oid, r.relname, n.nspname
   ORDER BY 1`;

/**
 * What the tables of the database's schema take. It reads the catalogue and the sizes of files, no rows, but waits for
 * a table that somebody has locked exclusively.
 * @throws KindredError
 */
export async function databaseUsage(
  db: Database,
  { others = [], ...limits }: DatabaseUsageOptions = {},
): Promise<DatabaseUsage> {
  const { rows } = await db.statement<UsageRow>(
    { text: USAGE, values: [db.schema, others.map(({ schema }) => schema), others.map(({ name }) => name)] },
    { ...limits, readOnly: true },
  );
  return {
    schema: db.schema,
    tables: rows.map((row) => ({
      name: row.name,
      ...(row.estimated_rows !== null && { estimatedRows: BigInt(row.estimated_rows) }),
      tableBytes: BigInt(row.table_bytes),
      indexBytes: BigInt(row.index_bytes),
      partitions: row.partitions,
    })),
    pool: db.poolStats(),
    serverVersion: db.capabilities.serverVersion,
  };
}
