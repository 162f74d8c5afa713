import { invalidField } from "@kindred/errors";
import type { Bound, Filter, Scalar } from "../../domain/filter.ts";
import type { FieldType } from "../../domain/layout.ts";
import type { Parameter } from "./sql.ts";

/** A condition on one field. */
export type FieldCondition = Exclude<Filter, { kind: "and" | "or" | "not" }>;

interface Column {
  /** As SQL. */
  sql: string;
  /** As callers know it. */
  name: string;
  type: FieldType;
  /** What the filter is called in the caller's request. */
  field: string;
}

/**
 * A condition on a column itself, by its own comparisons, so that its B-tree indexes can serve. NULL counts as false. A scalar of
 * a type that the column cannot hold makes it `false`. Columns of floats compare in their own precision, and as PostgreSQL
 * orders NaN (above all numbers); times without a zone are those of the session's.
 * @throws KindredError invalid-argument for a text that stands for no time
 */
export function columnCondition(condition: FieldCondition, column: Column, parameter: Parameter): string {
  const { sql, type } = column;
  switch (condition.kind) {
    case "exists":
      return `${sql} IS NOT NULL`;
    case "eq":
      return anyOf([condition.value], column, parameter);
    case "in":
      return anyOf(condition.values, column, parameter);
    case "contains":
      // Without a cast the list is of the column's type, which is that of its index: text[] or varchar[].
      return type === "text-array" && typeof condition.value === "string"
        ? `${sql} @> ${parameter([condition.value])}`
        : "false";
    case "prefix":
      if (type === "text") return `starts_with(${sql}, ${parameter(condition.prefix)}::text)`;
      return type === "uuid" ? `starts_with(${sql}::text, ${parameter(condition.prefix)}::text)` : "false";
    case "range": {
      const bounds = [
        ...boundSql(">", condition.lower, column, parameter),
        ...boundSql("<", condition.upper, column, parameter),
      ];
      if (bounds.includes("false")) return "false";
      return bounds.length === 1 ? (bounds[0] as string) : `(${bounds.join(" AND ")})`;
    }
  }
}

/** A scalar as a value of a column's type. */
interface Point {
  value: string | boolean;
  cast: string;
  /** Otherwise the value is the next lower one that the column can hold. */
  exact: boolean;
}

function anyOf(values: readonly Scalar[], column: Column, parameter: Parameter): string {
  const byCast = new Map<string, Point["value"][]>();
  for (const value of values) {
    const point = pointOf(value, column);
    if (!point?.exact) continue;
    const others = byCast.get(point.cast);
    if (others) others.push(point.value);
    else byCast.set(point.cast, [point.value]);
  }
  const found = Array.from(byCast, ([cast, members]) =>
    members.length === 1
      ? `${column.sql} = ${parameter(members[0])}::${cast}`
      : `${column.sql} = ANY(${parameter(members)}::${cast}[])`,
  );
  return found.length < 2 ? (found[0] ?? "false") : `(${found.join(" OR ")})`;
}

function boundSql(
  operator: ">" | "<",
  bound: Bound | undefined,
  column: Column,
  parameter: Parameter,
): string[] {
  if (!bound) return [];
  const point = pointOf(bound.value, column);
  if (!point) return ["false"];
  // What is above 2.5 is above 2, and what is below it is 2 or below.
  const orEqual = point.exact ? bound.inclusive : operator === "<";
  const collation = column.type === "text" ? ' COLLATE "C"' : "";
  return [
    `${column.sql}${collation} ${operator}${orEqual ? "=" : ""} ${parameter(point.value)}::${point.cast}`,
  ];
}

/** Undefined where the column's type has no such value. */
function pointOf(value: Scalar, column: Column): Point | undefined {
  const { type } = column;
  switch (type) {
    case "text":
      return typeof value === "string" ? { value, cast: "text", exact: true } : undefined;
    case "uuid":
      return typeof value === "string" && UUID.test(value) ? { value, cast: "uuid", exact: true } : undefined;
    case "boolean":
      return typeof value === "boolean" ? { value, cast: "boolean", exact: true } : undefined;
    case "number":
      return typeof value === "number" || typeof value === "bigint"
        ? { value: String(value), cast: "numeric", exact: true }
        : undefined;
    case "integer":
      return typeof value === "number" || typeof value === "bigint" ? integerPoint(value) : undefined;
    case "timestamp":
      return typeof value === "string" ? timePoint(value, column) : undefined;
    case "date":
      return typeof value === "string" ? datePoint(value, column) : undefined;
    case "text-array":
    case "json":
    case "other":
      return undefined;
  }
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

function integerPoint(value: number | bigint): Point {
  const floor = typeof value === "bigint" ? value : BigInt(Math.floor(value));
  // No index serves a comparison with numerics, nor is one needed for what no integer of PostgreSQL's reaches.
  const cast = floor === BigInt.asIntN(64, floor) ? "bigint" : "numeric";
  return { value: String(floor), cast, exact: typeof value === "bigint" || Number.isInteger(value) };
}

const DATE = /^(?!0000)(\d{4}-\d{2}-\d{2})$/;
/** Of RFC 3339, section 5.6, what PostgreSQL can read: offsets to 15:59, no leap seconds. */
const TIME =
  /^(?!0000)(\d{4}-\d{2}-\d{2})[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d+))?([Zz]|[+-](?:0\d|1[0-5]):[0-5]\d)$/;

/** Times have microseconds. */
const FRACTION_DIGITS = 6;

function timePoint(text: string, column: Column): Point {
  const [, date, time, fraction = "", offset] = TIME.exec(text) ?? [];
  if (date === undefined || !isDate(date)) throw noTime(text, column, "time", "2026-01-31T18:30:00Z");
  const micros = fraction.slice(0, FRACTION_DIGITS).padEnd(FRACTION_DIGITS, "0");
  const exact = !/[1-9]/.test(fraction.slice(FRACTION_DIGITS));
  return { value: `${date}T${time}.${micros}${offset}`, cast: "timestamptz", exact };
}

function datePoint(text: string, column: Column): Point {
  const [, date] = DATE.exec(text) ?? [];
  if (date === undefined || !isDate(date)) throw noTime(text, column, "date", "2026-01-31");
  return { value: date, cast: "date", exact: true };
}

/** Whether the calendar has it: Date rolls 31 April over. */
function isDate(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(date);
}

function noTime(text: string, { name, field }: Column, what: string, example: string): Error {
  return invalidField(
    field,
    `compares the column ${JSON.stringify(name)} with ${JSON.stringify(text.slice(0, 100))}, which is no ${what} as RFC 3339 writes it, e.g. ${example}`,
  );
}
