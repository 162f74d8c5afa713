import type { PoolClient } from "pg";
import type { Collection } from "../../domain/collection.ts";
import type { TableName } from "../../domain/layout.ts";
import { tableSql } from "./sql.ts";

/**
 * Rows as the planner estimates them: their density when it was last measured, times the size now; of a partitioned table those
 * of its partitions. Where a table was never measured, `bytesPerRow` stands in: the planner would take a vector for 32 bytes.
 */
export async function estimateRows(
  client: PoolClient,
  table: TableName,
  bytesPerRow: number,
): Promise<number> {
  const { rows } = await client.query<{ estimate: number }>(
    `SELECT coalesce(sum(
              CASE WHEN c.reltuples >= 0 AND c.relpages > 0
                   THEN c.reltuples * (pg_relation_size(c.oid) / current_setting('block_size')::float8) / c.relpages
                   ELSE pg_relation_size(c.oid) / $2::float8 END), 0) AS estimate
       FROM (SELECT to_regclass($1)::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree(to_regclass($1))) p
       JOIN pg_class c ON c.oid = p.oid AND c.relkind <> 'p'`,
    [tableSql(table), bytesPerRow],
  );
  return Math.round(rows[0]?.estimate ?? 0);
}

/** A key, and some columns of the usual sizes. */
const OTHER_BYTES = 100;
/** Wider ones are kept outside of their rows, and so are those in JSON. */
const WIDEST_INLINE_BYTES = 8000;

/** What a row of the vectors' table takes there, about. */
export function bytesPerVector({ layout, dimensions }: Pick<Collection, "layout" | "dimensions">): number {
  const bytes = { vector: 4 * dimensions, halfvec: 2 * dimensions, bit: dimensions / 8, json: Infinity };
  const inline = bytes[layout.vector.storage];
  return OTHER_BYTES + (inline > WIDEST_INLINE_BYTES ? 0 : inline);
}
