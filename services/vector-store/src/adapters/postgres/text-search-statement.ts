import { escapeLiteral } from "pg";
import type { Filter } from "../../domain/filter.ts";
import type { Layout } from "../../domain/layout.ts";
import { documentTable, type Bm25Index } from "./bm25-index.ts";
import { filterCondition } from "./filter-condition.ts";
import {
  columnSql,
  keySql,
  orderedSql,
  startStatement,
  tableSql,
  type Parameter,
  type Statement,
} from "./sql.ts";

/** What to look for in the documents of a collection. */
export interface TextQuery {
  layout: Layout;
  document: NonNullable<Layout["document"]>;
  /** PostgreSQL's text search configuration. */
  config: string;
  /** In the syntax of websearch_to_tsquery. */
  text: string;
  filter: Filter | undefined;
  excludedKeys: readonly string[];
  limit: number;
}

/** What an index on documents has to be made of, so that it serves: a GIN index of exactly this. */
export function documentVectorSql(document: string, config: string): string {
  return `to_tsvector(${escapeLiteral(config)}::regconfig, coalesce(${document}, ''))`;
}

/** Words that are more than words to websearch_to_tsquery: phrases, `or`, and what must not be there. */
const OPERATORS = /"|(^|\s)-|(^|\s)or(\s|$)/i;

/** Whether the text says how its words belong together, which no BM25 index understands. */
export function hasOperators(text: string): boolean {
  return OPERATORS.test(text);
}

/**
 * Keys of the best matches, best first, equal ones by key; rows have `key`. Without an index for BM25, documents match that have
 * all words, or what else the text says, and are ranked by ts_rank_cd. With one they match that have any of the words; ties
 * at the very end of the list are left to the index.
 */
export function matchesStatement(query: TextQuery, index: Bm25Index | undefined): Statement {
  const { values, parameter } = startStatement();
  const compiling = { ...query, sql: columnSql(query.document.of, query.document.column), parameter };
  return { text: index ? bm25(compiling, index) : fullText(compiling), values };
}

interface Compiling extends TextQuery {
  /** The document's column. */
  sql: string;
  parameter: Parameter;
}

function fullText(query: Compiling): string {
  const { sql, config, layout, parameter } = query;
  const vector = documentVectorSql(sql, config);
  const searched = tsquery(query);
  // A text that says only what must not be there matches what is empty.
  return `
    SELECT ${keySql(layout)}::text AS key FROM ${source(query)}
     WHERE ${[`${vector} @@ ${searched}`, `${sql} <> ''`, ...restrictions(query)].join(" AND ")}
     ORDER BY ts_rank_cd(${vector}, ${searched}) DESC, ${orderedSql(keySql(layout), layout.key.type)} LIMIT ${parameter(query.limit)}`;
}

function bm25(query: Compiling, index: Bm25Index): string {
  if (index.extension === "pg_search") return ranked(query, index);
  const { filter, document, layout } = query;
  const oneRowAKey = document.of === "vectors" || layout.items?.on === layout.key.column;
  return !filter && oneRowAKey ? nearestByIndex(query, index) : scored(query, index);
}

/** pg_textsearch's index gives the best documents in their order, but ends after as many as it was asked for. */
function nearestByIndex(query: Compiling, index: Bm25Index): string {
  const { sql, layout, document, excludedKeys, limit, parameter } = query;
  const distance = distanceSql(query, index);
  const { items } = layout;
  const key = document.of === "items" && items ? columnSql("items", items.column) : keySql(layout);
  const table = `${tableSql(documentTable(layout, document))} ${document.of === "items" ? "i" : "v"}`;
  return `
    SELECT key::text AS key FROM (
      SELECT ${key} AS key, ${sql} <@> ${distance} AS distance FROM ${table}
       ORDER BY ${sql} <@> ${distance} LIMIT ${parameter(limit + excludedKeys.length)}
    ) AS nearest
     WHERE distance < 0${excludedKeys.length > 0 ? ` AND ${isNotExcluded("nearest.key", query)}` : ""}
     ORDER BY distance, ${orderedSql("nearest.key", layout.key.type)} LIMIT ${parameter(limit)}`;
}

/** Every document that passes gets its score, which is below 0 where it has any of the words. */
function scored(query: Compiling, index: Bm25Index): string {
  const { sql, layout, limit, parameter } = query;
  const score = `(${sql} <@> ${distanceSql(query, index)})`;
  return `
    SELECT ${keySql(layout)}::text AS key FROM ${source(query)}
     WHERE ${[...restrictions(query), `${score} < 0`].join(" AND ")}
     ORDER BY ${score} + 0, ${orderedSql(keySql(layout), layout.key.type)} LIMIT ${parameter(limit)}`;
}

function distanceSql({ text, parameter }: Compiling, { name }: Bm25Index): string {
  return `to_bm25query(${parameter(text)}, ${escapeLiteral(name)})`;
}

/** pg_search scores what its own scan of one table gives. */
function ranked(query: Compiling, index: Bm25Index): string {
  const { sql, layout, document, text, limit, parameter } = query;
  const { of, column } = document;
  const [alias, on] = of === "items" ? ["i", layout.items?.column] : ["v", layout.key.column];
  const match = `paradedb.match(${escapeLiteral(column)}, ${parameter(text)})`;
  const conditions = restrictions(query);
  const joined = of === "items" ? columnSql("vectors", layout.items?.on as string) : keySql(layout);
  return `
    WITH found AS MATERIALIZED (
      SELECT ${columnSql(of, on as string)} AS key, paradedb.score(${columnSql(of, index.keyField as string)}) AS score
        FROM ${tableSql(documentTable(layout, document))} ${alias} WHERE ${sql} @@@ ${match}
    )
    SELECT ${keySql(layout)}::text AS key FROM ${source(query)} JOIN found ON found.key = ${joined}
     ${conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : ""}
     ORDER BY found.score DESC, ${orderedSql(keySql(layout), layout.key.type)} LIMIT ${parameter(limit)}`;
}

/** Vectors with their documents, without those that have none: only then an index of the items' table can begin. */
function source({ layout, document }: Compiling): string {
  const vectors = `${tableSql(layout.vectors)} v`;
  const { items } = layout;
  if (document.of === "vectors" || !items) return vectors;
  return `${vectors} JOIN ${tableSql(items.table)} i ON ${columnSql("items", items.column)} = ${columnSql("vectors", items.on)}`;
}

function tsquery({ config, text, parameter }: Compiling): string {
  return `websearch_to_tsquery(${escapeLiteral(config)}::regconfig, ${parameter(text)})`;
}

/** What else has to hold. */
function restrictions(query: Compiling): string[] {
  const { filter, layout, excludedKeys, parameter } = query;
  const found = excludedKeys.length > 0 ? [isNotExcluded(keySql(layout), query)] : [];
  if (filter) found.push(filterCondition(filter, layout, parameter));
  return found;
}

function isNotExcluded(key: string, { layout, excludedKeys, parameter }: Compiling): string {
  return `${key} <> ALL (${parameter([...excludedKeys])}::${layout.key.type}[])`;
}
