import type { PoolClient } from "pg";
import type { Collection } from "../../domain/collection.ts";
import type { CollectionStatistics } from "../../domain/item-ports.ts";
import type { TableName } from "../../domain/layout.ts";
import { vectorIndexes, type TableIndex } from "./index-catalogue.ts";
import { bytesPerVector, estimateRows } from "./row-estimate.ts";
import { columnSql, tableSql } from "./sql.ts";

/** A table without its TOAST that is no larger is counted faster than anybody notices; and PostgreSQL guesses badly about small ones. */
const COUNTED_BYTES = 8 * 2 ** 20;

interface Measures {
  heap_bytes: string;
  table_bytes: string;
  index_bytes: string;
  dead_tuples: string;
  analyzed_at: Date | null;
}

/** Of a table and, where it is partitioned, of all its partitions. */
const MEASURES = `
  SELECT coalesce(sum(pg_relation_size(p.oid)), 0) AS heap_bytes,
         coalesce(sum(pg_table_size(p.oid)), 0) AS table_bytes,
         coalesce(sum(pg_indexes_size(p.oid)), 0) AS index_bytes,
         coalesce(sum(s.n_dead_tup), 0) AS dead_tuples,
         max(greatest(s.last_analyze, s.last_autoanalyze)) AS analyzed_at
    FROM (SELECT to_regclass($1)::oid UNION SELECT relid::oid FROM pg_partition_tree(to_regclass($1))) AS p (oid)
    LEFT JOIN pg_stat_all_tables s ON s.relid = p.oid`;

/** In a transaction of one snapshot. */
export async function readStatistics(
  client: PoolClient,
  { layout, dimensions }: Collection,
  { exact }: { exact: boolean },
): Promise<CollectionStatistics> {
  const vectors = await measure(client, layout.vectors);
  const items = layout.items && (await measure(client, layout.items.table));
  const sum = (of: (measures: Measures) => string): bigint =>
    BigInt(of(vectors)) + (items ? BigInt(of(items)) : 0n);
  const estimated = !exact && Number(vectors.heap_bytes) > COUNTED_BYTES;
  const rows = estimated
    ? BigInt(await estimateRows(client, layout.vectors, bytesPerVector({ layout, dimensions })))
    : await countVectors(client, layout);
  const indexes = (await vectorIndexes(client, layout.vectors)).filter(
    ({ column }) => column === layout.vector.column,
  );
  return {
    rows,
    estimated,
    indexedRows: await indexedRows(client, layout.vectors, indexes, rows),
    deadTuples: sum((of) => of.dead_tuples),
    tableSizeBytes: sum((of) => of.table_bytes),
    indexSizeBytes: sum((of) => of.index_bytes),
    indexes,
    lastAnalyzedAt: vectors.analyzed_at ?? undefined,
  };
}

async function measure(client: PoolClient, table: TableName): Promise<Measures> {
  const { rows } = await client.query<Measures>(MEASURES, [tableSql(table)]);
  return rows[0] as Measures;
}

/** Rows of a user's table that have no vector do not count. */
async function countVectors(
  client: PoolClient,
  { vectors, vector }: Pick<Collection["layout"], "vectors" | "vector">,
): Promise<bigint> {
  const { rows } = await client.query<{ count: string }>(
    `SELECT count(${columnSql("vectors", vector.column)}) AS count FROM ${tableSql(vectors)} v`,
  );
  return BigInt(rows[0]?.count ?? 0);
}

async function indexedRows(
  client: PoolClient,
  { schema }: TableName,
  indexes: readonly TableIndex[],
  rows: bigint,
): Promise<bigint> {
  const valid = indexes.filter((index) => index.valid);
  if (valid.some((index) => !index.partial)) return rows;
  if (valid.length === 0) return 0n;
  const { rows: counted } = await client.query<{ count: string }>(
    "SELECT greatest(max(reltuples), 0)::bigint AS count FROM pg_class WHERE oid = ANY ($1::regclass[])",
    [valid.map(({ name }) => tableSql({ schema, name }))],
  );
  return BigInt(counted[0]?.count ?? 0);
}
