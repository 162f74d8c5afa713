import type { FieldType, KeyType, Layout, TableName } from "../../domain/layout.ts";

/** A column of some table, as PostgreSQL's catalogue has it now. */
export interface TableColumn {
  table: TableName;
  name: string;
  /** Its number in the table, which stays when others are dropped. */
  position: number;
  /** For people, e.g. "character varying(20)". */
  type: string;
  notNull: boolean;
  /** Whether the database has a value for it where an INSERT has none: a default, an identity, an expression. */
  hasDefault: boolean;
  /** Whether nobody else can give it one. */
  generated: boolean;
  field: FieldType;
  /** Undefined for what cannot tell rows apart. */
  keyType: KeyType | undefined;
  /** Undefined for what holds no vectors. */
  storage: Layout["vector"]["storage"] | undefined;
  /** Length of a vector or of bits; undefined where the type does not say, and for all other types. */
  dimensions: number | undefined;
}

interface ColumnRow {
  schema: string;
  table: string;
  name: string;
  position: number;
  type: string;
  notNull: boolean;
  hasDefault: boolean;
  generated: boolean;
  /** pg_type's name of a type that PostgreSQL or pgvector brings; null for all others. */
  known: string | null;
  modifier: number;
}

/** A domain is what it is made of. */
const COLUMNS = `
  SELECT n.nspname AS schema, c.relname AS table, a.attname AS name, a.attnum AS position,
         format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS "notNull",
         a.atthasdef OR a.attidentity <> '' AS "hasDefault", a.attidentity = 'a' OR a.attgenerated <> '' AS generated,
         CASE WHEN b.typnamespace = 'pg_catalog'::regnamespace
                OR (b.typname IN ('vector', 'halfvec')
                    AND b.typnamespace = (SELECT extnamespace FROM pg_extension WHERE extname = 'vector'))
              THEN b.typname END AS known,
         CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS modifier
    FROM unnest($1::text[], $2::text[]) AS w (schema, name)
    JOIN pg_namespace n ON n.nspname = w.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
   ORDER BY a.attrelid, a.attnum`;

const FIELD_TYPES: Record<string, FieldType> = {
  text: "text",
  varchar: "text",
  bpchar: "text",
  name: "text",
  uuid: "uuid",
  int2: "integer",
  int4: "integer",
  int8: "integer",
  float4: "number",
  float8: "number",
  numeric: "number",
  bool: "boolean",
  timestamptz: "timestamp",
  timestamp: "timestamp",
  date: "date",
  _text: "text-array",
  jsonb: "json",
};

const KEY_TYPES: Record<string, KeyType> = {
  text: "text",
  varchar: "text",
  uuid: "uuid",
  int2: "smallint",
  int4: "integer",
  int8: "bigint",
};

const STORAGES: Record<string, Layout["vector"]["storage"]> = {
  vector: "vector",
  halfvec: "halfvec",
  bit: "bit",
  jsonb: "json",
};

/** The columns of tables in their tables' order; those of tables that are not there are missing. */
export async function tableColumns(
  db: { query(sql: string, params: unknown[]): Promise<{ rows: unknown[] }> },
  tables: readonly TableName[],
): Promise<TableColumn[]> {
  const { rows } = await db.query(COLUMNS, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
  ]);
  return (rows as ColumnRow[]).map(({ schema, table, known, modifier, ...column }) => {
    const type = known ?? "";
    const storage = STORAGES[type];
    const measured = storage !== undefined && storage !== "json" && modifier > 0;
    return {
      ...column,
      table: { schema, name: table },
      field: FIELD_TYPES[type] ?? "other",
      keyType: KEY_TYPES[type],
      storage,
      dimensions: measured ? modifier : undefined,
    };
  });
}
