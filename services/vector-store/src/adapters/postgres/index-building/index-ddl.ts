import { KindredError } from "@kindred/errors";
import { escapeIdentifier } from "pg";
import type { Collection, Metric } from "../../../domain/collection.ts";
import { indexedType, type IndexMethod, type IndexSpec } from "../../../domain/indexes/index-spec.ts";
import type { TableName } from "../../../domain/layout.ts";
import { tableSql } from "../sql.ts";

interface Queryable {
  query(sql: string, params: unknown[]): Promise<{ rows: unknown[] }>;
}

const METRIC_PARTS: Record<Metric, string> = {
  cosine: "cosine",
  l2: "l2",
  "inner-product": "ip",
  l1: "l1",
  hamming: "hamming",
  jaccard: "jaccard",
};

/** What an index is made of, but for its name and table. */
export interface IndexContent {
  /** `USING … (…) WITH (…)`. */
  sql: string;
  operatorClass: string;
}

/** pgvector's and vectorscale's name of the operator class; bits of quantised vectors are compared by Hamming distance. */
export function operatorClassOf(spec: IndexSpec, collection: Pick<Collection, "elementType">): string {
  if (spec.quantization === "binary") return "bit_hamming_ops";
  return `${indexedType(collection, spec.quantization)}_${METRIC_PARTS[spec.metric]}_ops`;
}

/**
 * The schema of the method's operator class: vectorscale's are in another one than pgvector's may be.
 * @throws KindredError failed-precondition when there is none
 */
export async function operatorClassSchema(
  db: Queryable,
  method: IndexMethod,
  operatorClass: string,
): Promise<string> {
  const { rows } = await db.query(
    `SELECT n.nspname AS schema
       FROM pg_opclass oc JOIN pg_am am ON am.oid = oc.opcmethod JOIN pg_namespace n ON n.oid = oc.opcnamespace
      WHERE am.amname = $1 AND oc.opcname = $2`,
    [method, operatorClass],
  );
  const [found] = rows as { schema: string }[];
  if (found) return found.schema;
  throw new KindredError(
    "failed-precondition",
    method === "diskann"
      ? `this database has no ${method} indexes of ${operatorClass}: they need the extension vectorscale (CREATE EXTENSION vectorscale), ` +
          "and whole vectors compared by cosine, l2 or inner product"
      : `the pgvector of this database has no ${method} indexes of ${operatorClass}`,
  );
}

/**
 * @param schemas of pgvector's types and functions, and of the operator class
 * @throws RangeError for numbers that are none: nothing else goes into the statement as it is
 */
export function indexContent(
  collection: Collection,
  spec: IndexSpec,
  schemas: { vector: string; operatorClass: string },
): IndexContent {
  const operatorClass = operatorClassOf(spec, collection);
  const qualified = `${escapeIdentifier(schemas.operatorClass)}.${escapeIdentifier(operatorClass)}`;
  const options = Object.entries(buildOptions(spec)).map(([name, value]) => `${name} = ${checked(value)}`);
  const sql =
    `USING ${spec.method} (${indexedSql(collection, spec, schemas.vector)} ${qualified})` +
    (options.length > 0 ? ` WITH (${options.join(", ")})` : "");
  return { sql, operatorClass };
}

export function createIndexSql(
  name: string,
  table: TableName,
  content: IndexContent,
  mode: "CONCURRENTLY" | "" = "",
  only = false,
): string {
  return `CREATE INDEX ${mode} ${escapeIdentifier(name)} ON ${only ? "ONLY " : ""}${tableSql(table)} ${content.sql}`;
}

/** An index is in the schema of its table. */
export function indexSql(table: TableName, name: string): string {
  return tableSql({ schema: table.schema, name });
}

function indexedSql(
  { layout, dimensions }: Collection,
  { quantization }: IndexSpec,
  vectorSchema: string,
): string {
  const column = escapeIdentifier(layout.vector.column);
  const schema = escapeIdentifier(vectorSchema);
  switch (quantization) {
    case "none":
      return column;
    case "halfvec":
      return `((${column})::${schema}.halfvec(${checked(dimensions)}))`;
    case "binary":
      return `((${schema}.binary_quantize(${column}))::bit(${checked(dimensions)}))`;
  }
}

function buildOptions(spec: IndexSpec): Record<string, number> {
  switch (spec.method) {
    case "hnsw":
      return { m: spec.m, ef_construction: spec.efConstruction };
    case "ivfflat":
      return { lists: spec.lists };
    case "diskann":
      return {
        ...(spec.numNeighbors !== undefined && { num_neighbors: spec.numNeighbors }),
        ...(spec.searchListSize !== undefined && { search_list_size: spec.searchListSize }),
      };
  }
}

function checked(value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`not a number for an index: ${value}`);
  return value;
}
