import type { Database } from "@kindred/postgres";
import type { Layout, TableName } from "../../domain/layout.ts";
import type { CallLimits } from "../../domain/ports.ts";
import { tableSql } from "./sql.ts";

/** Extensions that rank by BM25. Both call their access method `bm25`, so that a database has one of them at most. */
const EXTENSIONS = ["pg_textsearch", "pg_search"] as const;
export type Bm25Extension = (typeof EXTENSIONS)[number];

/** An index that ranks documents by BM25. */
export interface Bm25Index {
  extension: Bm25Extension;
  /** As the extension's functions name it: not quoted. */
  name: string;
  /** The column by which pg_search tells rows apart; null with pg_textsearch. */
  keyField: string | null;
}

/** pg_textsearch finds indexes by their bare names, and has no way to quote them. */
const PLAIN_NAME = /^[a-z_][a-z0-9_$]*$/;

/** Where the document is. */
export function documentTable(
  { vectors, items }: Pick<Layout, "vectors" | "items">,
  { of }: NonNullable<Layout["document"]>,
): TableName {
  if (of === "vectors") return vectors;
  if (!items) throw new TypeError("the layout has documents in a table that it lacks");
  return items.table;
}

/** The BM25 index on a collection's documents; undefined where there is none, or no extension that could use it. */
export async function findBm25Index(
  db: Pick<Database, "capabilities" | "statement">,
  layout: Layout,
  document: NonNullable<Layout["document"]>,
  limits: CallLimits,
): Promise<Bm25Index | undefined> {
  const extension = EXTENSIONS.find((name) => db.capabilities.extensions.has(name));
  if (!extension) return undefined;
  const { rows } = await db.statement<{ schema: string; name: string; keyField: string | null }>(
    {
      text: `
        SELECT n.nspname AS schema, c.relname AS name,
               (SELECT o.option_value FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'key_field') AS "keyField"
          FROM pg_index x
          JOIN pg_class c ON c.oid = x.indexrelid
          JOIN pg_am m ON m.oid = c.relam AND m.amname = 'bm25'
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey)
         WHERE x.indrelid = to_regclass($1) AND a.attname = $2 AND x.indisvalid AND x.indpred IS NULL
         ORDER BY c.relname`,
      values: [tableSql(documentTable(layout, document)), document.column],
    },
    { ...limits, readOnly: true },
  );
  const found =
    extension === "pg_search"
      ? rows.find(({ keyField }) => keyField !== null)
      : rows.find(({ schema, name }) => PLAIN_NAME.test(schema) && PLAIN_NAME.test(name));
  return found && { extension, name: `${found.schema}.${found.name}`, keyField: found.keyField };
}
