import type { Metric } from "../../domain/collection.ts";
import type { IndexMethod, Quantization } from "../../domain/indexes/index-spec.ts";
import { imagesLayout, type TableName } from "../../domain/layout.ts";
import type { VectorIndex } from "../../domain/vector-index.ts";
import { tableSql } from "./sql.ts";

/** A vector index and what of its table it holds. */
export interface TableIndex extends VectorIndex {
  /** The column that it is about. */
  column: string;
  /** Undefined where it holds the column as it is. */
  expression: string | undefined;
  /**
   * Whether it holds all of every vector, as it is or quantised in a way that searches know. False e.g. for an index of a part of
   * each vector, which is found by no search of this service.
   */
  searchable: boolean;
  /** How many dimensions a quantised one was declared for; undefined for others. */
  dimensions: number | undefined;
  /** Whether somebody is building it at this moment, as far as this role may see that. */
  building: boolean;
}

interface IndexRow {
  name: string;
  oid: number;
  column: string;
  /** `column` as PostgreSQL prints it, quoted where it has to be. */
  quoted_column: string;
  expression: string | null;
  method: IndexMethod;
  operator_class: string;
  valid: boolean;
  building: boolean;
  partial: boolean;
  /** Null for an index that was dropped at this very moment. */
  size_bytes: string | null;
  options: string[] | null;
}

/** What pgvector and vectorscale take where an index does not say. */
const DEFAULTS: Record<IndexMethod, Record<string, string>> = {
  hnsw: { m: "16", ef_construction: "64" },
  ivfflat: { lists: "100" },
  diskann: {
    num_neighbors: "50",
    search_list_size: "100",
    max_alpha: "1.2",
    storage_layout: "memory_optimized",
  },
};

/**
 * The index of a partitioned table is as large as those of its partitions are together, and valid once every partition has a valid one.
 * Other key columns than the first are labels of DiskANN's.
 */
const VECTOR_INDEXES = `
  SELECT c.relname AS name, c.oid::bigint::float8 AS oid, am.amname AS method, oc.opcname AS operator_class,
         a.attname AS column, quote_ident(a.attname) AS quoted_column,
         CASE WHEN i.indkey[0] = 0 THEN pg_get_indexdef(c.oid, 1, true) END AS expression,
         i.indisvalid AND i.indisready AND NOT EXISTS (
           SELECT FROM pg_partition_tree(c.oid) p JOIN pg_index pi ON pi.indexrelid = p.relid
            WHERE NOT (pi.indisvalid AND pi.indisready)) AS valid,
         EXISTS (
           SELECT FROM pg_stat_progress_create_index b
            WHERE b.index_relid = c.oid OR b.index_relid IN (SELECT relid FROM pg_partition_tree(c.oid))) AS building,
         i.indpred IS NOT NULL AS partial,
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
   WHERE i.indrelid = to_regclass($1) AND am.amname IN ('hnsw', 'ivfflat', 'diskann')
   ORDER BY c.relname COLLATE "C"`;

interface Queryable {
  query(sql: string, params: unknown[]): Promise<{ rows: unknown[] }>;
}

/** The vector indexes of a table, by name; none where the table is gone. */
export async function vectorIndexes(db: Queryable, table: TableName): Promise<TableIndex[]> {
  const { rows } = await db.query(VECTOR_INDEXES, [tableSql(table)]);
  return (rows as IndexRow[]).flatMap((row): TableIndex[] => {
    if (row.size_bytes === null) return [];
    const content = contentOf(row.expression, row.quoted_column);
    return [
      {
        name: row.name,
        oid: row.oid,
        quantization: content?.quantization ?? "none",
        // Bits of a binary quantised one are compared by Hamming distance, whatever metric that stands in for.
        metric: content?.quantization === "binary" ? "cosine" : metricOf(row.operator_class),
        column: row.column,
        expression: row.expression ?? undefined,
        searchable: content !== undefined,
        dimensions: content?.dimensions,
        method: row.method,
        operatorClass: row.operator_class,
        valid: row.valid,
        building: row.building,
        partial: row.partial,
        sizeBytes: BigInt(row.size_bytes),
        parameters: { ...DEFAULTS[row.method], ...parseOptions(row.options ?? []) },
      },
    ];
  });
}

/** A schema's name with a dot, where PostgreSQL prints one: pgvector may be outside of the search path. */
const SCHEMA = String.raw`(?:(?:"(?:[^"]|"")+"|[^\s"().]+)\.)?`;

/**
 * What an index holds, of its expression as pg_get_indexdef prints it, whoever wrote it and however; undefined where that is neither
 * the column nor all of it quantised.
 */
export function contentOf(
  expression: string | null,
  quotedColumn: string,
): { quantization: Quantization; dimensions: number | undefined } | undefined {
  if (expression === null) return { quantization: "none", dimensions: undefined };
  const column = RegExp.escape(quotedColumn);
  const argument = String.raw`\(?${column}\)?`;
  const halfvec = new RegExp(String.raw`^\(?${argument}::${SCHEMA}halfvec\((\d+)\)\)?$`);
  const bits = new RegExp(String.raw`^\(*${SCHEMA}binary_quantize\(${argument}\)\)?::bit\((\d+)\)\)?$`);
  const cast = halfvec.exec(expression);
  if (cast) return { quantization: "halfvec", dimensions: Number(cast[1]) };
  const quantised = bits.exec(expression);
  return quantised ? { quantization: "binary", dimensions: Number(quantised[1]) } : undefined;
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

/** Of pgvector's and vectorscale's names for operator classes, e.g. vector_cosine_ops. */
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
