import type { Metric } from "../../domain/collection.ts";
import { imagesLayout, type TableName } from "../../domain/layout.ts";
import type { VectorIndex } from "../../domain/vector-index.ts";
import { tableSql } from "./sql.ts";

/** A vector index and what of its table it holds. */
export interface TableIndex extends VectorIndex {
  /** The column that it is about. */
  column: string;
  /** Undefined where it holds the column as it is: only then do searches by the column's own operators find it. */
  expression: string | undefined;
}

interface IndexRow {
  name: string;
  oid: number;
  column: string;
  expression: string | null;
  method: VectorIndex["method"];
  operator_class: string;
  valid: boolean;
  partial: boolean;
  /** Null for an index that was dropped at this very moment. */
  size_bytes: string | null;
  options: string[] | null;
}

/** What pgvector takes where an index does not say. */
const DEFAULTS: Record<string, Record<string, string>> = {
  hnsw: { m: "16", ef_construction: "64" },
  ivfflat: { lists: "100" },
};

/** The index of a partitioned table is as large as those of its partitions are together. */
const VECTOR_INDEXES = `
  SELECT c.relname AS name, c.oid::bigint::float8 AS oid, am.amname AS method, oc.opcname AS operator_class,
         a.attname AS column,
         CASE WHEN i.indkey[0] = 0 THEN pg_get_indexdef(c.oid, 1, true) END AS expression,
         i.indisvalid AND i.indisready AS valid, i.indpred IS NOT NULL AS partial,
         (SELECT sum(pg_relation_size(p.oid))
            FROM (SELECT c.oid UNION SELECT relid::oid FROM pg_partition_tree(c.oid)) AS p (oid)) AS size_bytes,
         c.reloptions AS options
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am am ON am.oid = c.relam
    JOIN pg_opclass oc ON oc.oid = i.indclass[0]
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum =
         CASE WHEN i.indkey[0] <> 0 THEN i.indkey[0]
              ELSE (SELECT min(d.refobjsubid) FROM pg_depend d
                     WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0) END
   WHERE i.indrelid = to_regclass($1) AND am.amname IN ('hnsw', 'ivfflat')
   ORDER BY c.relname COLLATE "C"`;

interface Queryable {
  query(sql: string, params: unknown[]): Promise<{ rows: unknown[] }>;
}

/** The vector indexes of a table, by name; none where the table is gone. */
export async function vectorIndexes(db: Queryable, table: TableName): Promise<TableIndex[]> {
  const { rows } = await db.query(VECTOR_INDEXES, [tableSql(table)]);
  return (rows as IndexRow[]).flatMap((row): TableIndex[] => {
    if (row.size_bytes === null) return [];
    return [
      {
        name: row.name,
        oid: row.oid,
        quantization: "none",
        metric: metricOf(row.operator_class),
        column: row.column,
        expression: row.expression ?? undefined,
        method: row.method,
        operatorClass: row.operator_class,
        valid: row.valid,
        partial: row.partial,
        sizeBytes: BigInt(row.size_bytes),
        parameters: { ...DEFAULTS[row.method], ...parseOptions(row.options ?? []) },
      },
    ];
  });
}

/** Those of the images catalogue. */
export function imageIndexes(db: Queryable, schema: string): Promise<TableIndex[]> {
  return vectorIndexes(db, imagesLayout(schema, "vector").vectors);
}

const METRICS: Record<string, Metric> = {
  cosine: "cosine",
  l2: "l2",
  ip: "inner-product",
  l1: "l1",
  hamming: "hamming",
  jaccard: "jaccard",
};

/** Of pgvector's names for operator classes, e.g. vector_cosine_ops. */
function metricOf(operatorClass: string): Metric {
  return METRICS[operatorClass.split("_").at(1) ?? ""] ?? "l2";
}

function parseOptions(options: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    options.map((option) => {
      const equals = option.indexOf("=");
      return [option.slice(0, equals), option.slice(equals + 1)];
    }),
  );
}
