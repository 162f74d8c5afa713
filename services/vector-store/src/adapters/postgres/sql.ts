import { escapeIdentifier } from "pg";
import type { KeyType, Layout, TableName, TableRole } from "../../domain/layout.ts";

/** A statement with `$n` for its values. */
export interface Statement {
  text: string;
  values: unknown[];
}

/** Takes a value in and gives its `$n`. */
export type Parameter = (value: unknown) => string;

export function startStatement(): { values: unknown[]; parameter: Parameter } {
  const values: unknown[] = [];
  return { values, parameter: (value) => `$${values.push(value)}` };
}

/** The table's name, quoted. */
export function tableSql({ schema, name }: TableName): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
}

const ALIASES: Record<TableRole, string> = { vectors: "v", items: "i" };

/** A column of one of a collection's tables, whose aliases are `v` and `i`. */
export function columnSql(role: TableRole, column: string): string {
  return `${ALIASES[role]}.${escapeIdentifier(column)}`;
}

export function keySql({ key }: Pick<Layout, "key">): string {
  return columnSql("vectors", key.column);
}

/** An expression to order by: text by code point, whatever the column's own collation is. */
export function orderedSql(sql: string, type: KeyType): string {
  return type === "text" ? `${sql} COLLATE "C"` : sql;
}

/** `items i` beside `vectors v`; empty where there is no second table. */
export function itemsJoinSql({ items }: Pick<Layout, "items">): string {
  if (!items) return "";
  const on = `${columnSql("items", items.column)} = ${columnSql("vectors", items.on)}`;
  return `${items.complete ? "JOIN" : "LEFT JOIN"} ${tableSql(items.table)} i ON ${on}`;
}
