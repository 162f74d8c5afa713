import { KindredError } from "@kindred/errors";
import { escapeIdentifier, type PoolClient } from "pg";
import type { ElementType } from "../../domain/collection.ts";
import type { TableReference } from "../../domain/item-ports.ts";
import type { KeyType, TableName } from "../../domain/layout.ts";
import { isStoreTable } from "./store-tables.ts";
import { tableColumns, type TableColumn } from "./table-columns.ts";
import { tableSql } from "./sql.ts";

/** A table of the user's that can serve as a collection. */
export interface ServingTable {
  table: TableName;
  key: { column: string; type: KeyType };
  vector: { column: string; elementType: ElementType; dimensions: number };
  documentColumn: string | undefined;
  /** All of them, in their order. */
  columns: readonly TableColumn[];
}

export interface Relation extends TableName {
  /** pg_class.relkind */
  kind: string;
  readable: boolean;
  role: string;
  /** Columns of the primary key; null without one. */
  primaryKey: string[] | null;
  /** Columns that a unique index has alone. */
  uniqueColumns: string[];
  /** Columns and expressions; none where it is not partitioned. */
  partitionedBy: string[];
}

const RELATION = `
  SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, current_user AS role,
         has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
         (SELECT array_agg(a.attname::text ORDER BY k.position)
            FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, position), pg_attribute a
           WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum
             AND k.position <= i.indnkeyatts) AS "primaryKey",
         ARRAY(SELECT a.attname::text
                 FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
                  AND i.indpred IS NULL) AS "uniqueColumns",
         ARRAY(SELECT coalesce(a.attname::text, 'an expression')
                 FROM pg_partitioned_table p, unnest(p.partattrs) AS k (attnum)
                 LEFT JOIN pg_attribute a ON k.attnum > 0 AND a.attrelid = c.oid AND a.attnum = k.attnum
                WHERE p.partrelid = c.oid) AS "partitionedBy"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace`;

const NOT_TABLES: Record<string, string> = {
  v: "is a view: register the table that it reads, or make it a materialized view with a unique index",
  f: "is a foreign table, and nobody here keeps its keys unique: make a materialized view of it with a unique index",
  i: "is an index",
  I: "is an index",
  S: "is a sequence",
  c: "is a type",
};

const VECTOR_TYPES = "vector, halfvec or bit";

/**
 * Looks whether a table can serve, and finds out what the reference leaves open. Only the catalogue is read, and a materialized
 * view's key.
 * @param ownSchema the store's, where tables of users' may be beside its own
 * @throws KindredError failed-precondition that names all that is in the way, and what to do about it.
 */
export async function inspectTable(
  client: PoolClient,
  reference: TableReference,
  ownSchema: string,
): Promise<ServingTable> {
  const relation = await findRelation(client, reference);
  if (!relation) throw await noTable(client, reference);
  const name = tableSql(relation);
  if (isStoreTable(relation, ownSchema)) {
    throw refused(name, "is the store's own; name the schema of yours");
  }
  const isNone = NOT_TABLES[relation.kind];
  if (isNone !== undefined) throw refused(name, isNone);
  if (!relation.readable) {
    throw refused(
      name,
      `may not be read by ${relation.role}: GRANT USAGE ON SCHEMA and GRANT SELECT ON the table to it`,
    );
  }
  const columns = await tableColumns(client, [relation]);
  const found: Inspection = { relation, name, columns, problems: [] };
  const key = await chooseKey(client, found, reference.keyColumn);
  const vector = chooseVector(found, reference.vectorColumn);
  const documentColumn = chooseDocument(found, reference.documentColumn);
  if (found.problems.length > 0) throw refused(name, found.problems.join("; it "));
  return {
    table: { schema: relation.schema, name: relation.name },
    key: key as ServingTable["key"],
    vector: vector as ServingTable["vector"],
    documentColumn,
    columns,
  };
}

interface Inspection {
  relation: Relation;
  /** Quoted. */
  name: string;
  columns: readonly TableColumn[];
  /** What is in the way, as sentences about "it". */
  problems: string[];
}

function refused(name: string, problem: string): KindredError {
  return new KindredError("failed-precondition", `${name} cannot be registered: it ${problem}`);
}

/** Undefined where there is none of that name. */
export async function findRelation(
  client: PoolClient,
  { schema, table }: Pick<TableReference, "schema" | "table">,
): Promise<Relation | undefined> {
  const { rows } =
    schema === ""
      ? await client.query<Relation>(`${RELATION} WHERE c.oid = to_regclass(quote_ident($1))`, [table])
      : await client.query<Relation>(`${RELATION} WHERE n.nspname = $1 AND c.relname = $2`, [schema, table]);
  return rows[0];
}

async function noTable(client: PoolClient, { schema, table }: TableReference): Promise<KindredError> {
  if (schema !== "") {
    return new KindredError("failed-precondition", `there is no table ${tableSql({ schema, name: table })}`);
  }
  const path = await client.query<{ schemas: string }>(
    "SELECT array_to_string(current_schemas(false), ', ') AS schemas",
  );
  return new KindredError(
    "failed-precondition",
    `there is no table ${JSON.stringify(table)} in the schemas ${path.rows[0]?.schemas}: name its schema if it is in another one`,
  );
}

async function chooseKey(
  client: PoolClient,
  found: Inspection,
  wanted: string,
): Promise<ServingTable["key"] | undefined> {
  const { relation, name, problems } = found;
  const column = wanted === "" ? primaryKey(found) : columnNamed(found, wanted);
  if (!column) return undefined;
  const quoted = escapeIdentifier(column.name);
  if (column.keyType === undefined) {
    problems.push(
      `has keys of type ${column.type} in ${quoted}: smallint, integer, bigint, text, varchar or uuid can be keys`,
    );
  }
  if (!relation.uniqueColumns.includes(column.name)) {
    problems.push(`does not keep ${quoted} unique by itself: ${uniqueRemedy(found, quoted, column.name)}`);
  }
  // A materialized view has no NOT NULL; what it holds now is all that can be known.
  const nullable = relation.kind === "m" ? await holdsNull(client, name, quoted) : !column.notNull;
  if (nullable) {
    problems.push(
      relation.kind === "m"
        ? `has NULL in ${quoted}: leave such rows out of it`
        : `allows NULL in ${quoted}: ALTER TABLE ${name} ALTER COLUMN ${quoted} SET NOT NULL`,
    );
  }
  return column.keyType && { column: column.name, type: column.keyType };
}

/** A unique index of a partitioned table has to contain all that it is partitioned by. */
function uniqueRemedy({ relation, name }: Inspection, quoted: string, column: string): string {
  if (relation.kind !== "p") return `CREATE UNIQUE INDEX CONCURRENTLY ON ${name} (${quoted})`;
  const others = relation.partitionedBy.filter((by) => by !== column);
  return others.length === 0
    ? `CREATE UNIQUE INDEX ON ${name} (${quoted})`
    : `it is partitioned by ${others.join(", ")}, and no index keeps keys unique over all of its partitions; ` +
        "register its partitions, a collection each";
}

async function holdsNull(client: PoolClient, table: string, column: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM ${table} WHERE ${column} IS NULL) AS found`,
  );
  return rows[0]?.found ?? false;
}

function primaryKey(found: Inspection): TableColumn | undefined {
  const columns = found.relation.primaryKey ?? [];
  if (columns.length === 1) return columnNamed(found, columns[0] as string);
  found.problems.push(
    columns.length === 0
      ? "has no primary key: name the column that tells rows apart (key_column)"
      : `has a primary key of several columns (${columns.join(", ")}): name one that tells rows apart by itself (key_column)`,
  );
  return undefined;
}

function chooseVector(found: Inspection, wanted: string): ServingTable["vector"] | undefined {
  const { name, problems } = found;
  const column = wanted === "" ? onlyVector(found) : columnNamed(found, wanted);
  if (!column) return undefined;
  const quoted = escapeIdentifier(column.name);
  const { storage, dimensions } = column;
  if (storage === undefined || storage === "json") {
    problems.push(
      `has ${quoted} of type ${column.type}: vectors are of type ${VECTOR_TYPES}; ` +
        `ALTER TABLE ${name} ALTER COLUMN ${quoted} TYPE vector(N) converts arrays of real`,
    );
    return undefined;
  }
  if (dimensions === undefined) {
    problems.push(
      `has vectors of any length in ${quoted}: ALTER TABLE ${name} ALTER COLUMN ${quoted} TYPE ${storage}(N) fixes their dimensions`,
    );
    return undefined;
  }
  return { column: column.name, elementType: storage, dimensions };
}

function onlyVector({ columns, problems }: Inspection): TableColumn | undefined {
  const vectors = columns.filter(({ storage }) => storage !== undefined && storage !== "json");
  if (vectors.length === 1) return vectors[0];
  problems.push(
    vectors.length === 0
      ? `has no column of type ${VECTOR_TYPES}`
      : `has several columns with vectors (${vectors.map((column) => column.name).join(", ")}): name one (vector_column)`,
  );
  return undefined;
}

function chooseDocument(found: Inspection, wanted: string): string | undefined {
  if (wanted === "") return undefined;
  const column = columnNamed(found, wanted);
  if (!column) return undefined;
  if (column.field !== "text") {
    found.problems.push(
      `has documents of type ${column.type} in ${JSON.stringify(column.name)}: documents are of type text or varchar`,
    );
  }
  return column.name;
}

function columnNamed({ columns, problems }: Inspection, name: string): TableColumn | undefined {
  const column = columns.find((candidate) => candidate.name === name);
  if (!column) {
    const names = columns.map((candidate) => candidate.name).join(", ");
    problems.push(`has no column ${JSON.stringify(name)}; its columns are ${names}`);
  }
  return column;
}
