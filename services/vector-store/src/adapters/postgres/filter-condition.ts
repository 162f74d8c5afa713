import { invalidField } from "@kindred/errors";
import { evaluateFilter } from "../../domain/evaluate-filter.ts";
import type { FieldPath, Filter } from "../../domain/filter.ts";
import type { FieldColumn, Layout, TableRole } from "../../domain/layout.ts";
import { columnCondition, type FieldCondition } from "./column-condition.ts";
import { jsonCondition, jsonScalarSql } from "./json-condition.ts";
import { columnSql, startStatement, tableSql, type Parameter, type Statement } from "./sql.ts";

/** What the filter is called in the caller's request, for errors. */
export type FilterField = "where" | "filter";

/**
 * A filter as a condition of a WHERE over `vectors v` alone; it agrees with evaluateFilter. Conditions on the items' table are
 * inside of an EXISTS, as many of them as can be in one, so that the planner is free to begin with either table. NULL counts as
 * false, which is what leaves indexes of the columns usable; below a NOT it is made one.
 * @throws KindredError invalid-argument for an unknown column, and for a text that stands for no time
 */
export function filterCondition(
  filter: Filter,
  layout: Layout,
  parameter: Parameter,
  field: FilterField = "where",
): string {
  return overVectors(filter, { layout, parameter, field });
}

/**
 * Counts the vectors that pass the filter, up to the bound: one row with `count`. Where the items' table has all that is asked
 * for, and a row for each vector that can pass, the vectors are not looked at.
 */
export function countStatement(filter: Filter, layout: Layout, bound: number): Statement {
  const { values, parameter } = startStatement();
  const { items, key } = layout;
  const itemsAlone =
    items !== undefined &&
    items.on === key.column &&
    !tablesOf(filter, { layout, field: "where" }).has("vectors") &&
    (items.complete || !evaluateFilter(filter, {}));
  const matching = itemsAlone
    ? `${tableSql(items.table)} i WHERE ${condition(filter, { layout, parameter, field: "where" })}`
    : `${tableSql(layout.vectors)} v WHERE ${filterCondition(filter, layout, parameter)}`;
  const text = `
    SELECT count(*) AS count
      FROM (SELECT 1 FROM ${matching} LIMIT ${parameter(bound)}) AS bounded`;
  return { text, values };
}

/**
 * The text, number or boolean that hits are grouped by, as JSONB; NULL where the field is missing, null, a list or an object.
 * @returns with the table whose alias the expression has
 * @throws KindredError invalid-argument for an unknown column
 */
export function groupExpression(
  path: FieldPath,
  layout: Layout,
  parameter: Parameter,
): { sql: string; of: TableRole } {
  const { fields } = layout;
  if (fields.kind === "json") {
    return { sql: jsonScalarSql(columnSql(fields.of, fields.column), path, parameter), of: fields.of };
  }
  const { column, rest } = columnAt(path, fields.columns, "group_by.field");
  const sql = columnSql(column.of, column.column);
  if (column.type === "json") return { sql: jsonScalarSql(`${sql}::jsonb`, rest, parameter), of: column.of };
  const scalar = rest.length === 0 && column.type !== "text-array" && column.type !== "other";
  return { sql: scalar ? `to_jsonb(${sql})` : "NULL::jsonb", of: column.of };
}

interface Compiling {
  layout: Layout;
  parameter: Parameter;
  field: FilterField;
}

function overVectors(filter: Filter, compiling: Compiling): string {
  const { layout } = compiling;
  const touched = tablesOf(filter, compiling);
  if (!touched.has("items")) return condition(filter, compiling);
  const complete = layout.items?.complete;
  if (!touched.has("vectors") || (complete && filter.kind !== "and")) return throughItems(filter, compiling);
  // Of both tables: what is about one of them comes together.
  switch (filter.kind) {
    case "and":
    case "or": {
      const parts = flattened(filter);
      const isOf = (part: Filter, role: TableRole): boolean => tablesOf(part, compiling).has(role);
      const inItems = parts.filter((part) => isOf(part, "items") && (complete || !isOf(part, "vectors")));
      const others = parts.filter((part) => !inItems.includes(part));
      const found = others.map((part) => overVectors(part, compiling));
      if (inItems.length > 0) found.push(throughItems({ kind: filter.kind, filters: inItems }, compiling));
      return joined(found, filter.kind);
    }
    case "not":
      return negated(overVectors(filter.filter, compiling));
    default:
      throw new TypeError("a condition on one field is about one table");
  }
}

/** Without its row in an incomplete table an item has no fields: then the filter holds, or it does not. */
function throughItems(filter: Filter, compiling: Compiling): string {
  const { items } = compiling.layout;
  if (!items) throw new TypeError("the layout has fields in a table that it lacks");
  const row = `SELECT 1 FROM ${tableSql(items.table)} i WHERE ${columnSql("items", items.column)} = ${columnSql("vectors", items.on)}`;
  if (items.complete || !evaluateFilter(filter, {})) {
    return `EXISTS (${row} AND ${condition(filter, compiling)})`;
  }
  const contrary =
    filter.kind === "not" ? condition(filter.filter, compiling) : negated(condition(filter, compiling));
  return `NOT EXISTS (${row} AND ${contrary})`;
}

/** Over the rows of both tables. */
function condition(filter: Filter, compiling: Compiling): string {
  switch (filter.kind) {
    case "and":
    case "or": {
      const parts = filter.filters.map((part) => condition(part, compiling));
      return joined(parts, filter.kind);
    }
    case "not":
      return negated(condition(filter.filter, compiling));
    default:
      return fieldCondition(filter, compiling);
  }
}

function fieldCondition(filter: FieldCondition, { layout, parameter, field }: Compiling): string {
  const { fields } = layout;
  if (fields.kind === "json") {
    return jsonCondition(filter, columnSql(fields.of, fields.column), filter.path, parameter);
  }
  const { column, name, rest } = columnAt(filter.path, fields.columns, field);
  const sql = columnSql(column.of, column.column);
  if (column.type === "json") return jsonCondition(filter, `${sql}::jsonb`, rest, parameter);
  // Other columns have no members.
  return rest.length > 0
    ? "false"
    : columnCondition(filter, { sql, name, type: column.type, field }, parameter);
}

function joined(parts: readonly string[], kind: "and" | "or"): string {
  if (parts.length === 0) return kind === "and" ? "true" : "false";
  return parts.length === 1 ? (parts[0] as string) : `(${parts.join(kind === "and" ? " AND " : " OR ")})`;
}

/** AND and OR of what is NULL give NULL only where they would give false if it was false: so it is enough to do this here. */
function negated(sql: string): string {
  return `NOT COALESCE(${sql}, false)`;
}

/** What stands in lists of the same kind below it, too. */
function flattened({ kind, filters }: Extract<Filter, { kind: "and" | "or" }>): Filter[] {
  return filters.flatMap((filter) => (filter.kind === kind ? flattened(filter) : [filter]));
}

function tablesOf(filter: Filter, compiling: Pick<Compiling, "layout" | "field">): ReadonlySet<TableRole> {
  switch (filter.kind) {
    case "and":
    case "or":
      return new Set(filter.filters.flatMap((part) => [...tablesOf(part, compiling)]));
    case "not":
      return tablesOf(filter.filter, compiling);
    default: {
      const { fields } = compiling.layout;
      return new Set([
        fields.kind === "json" ? fields.of : columnAt(filter.path, fields.columns, compiling.field).column.of,
      ]);
    }
  }
}

function columnAt(
  path: FieldPath,
  columns: ReadonlyMap<string, FieldColumn>,
  field: string,
): { column: FieldColumn; name: string; rest: FieldPath } {
  const [name = "", ...rest] = path;
  const column = columns.get(name);
  if (!column) {
    const known = [...columns.keys()].join(", ");
    throw invalidField(
      field,
      `names the column ${JSON.stringify(name)}, which is not there: there are ${known}`,
    );
  }
  return { column, name, rest };
}
