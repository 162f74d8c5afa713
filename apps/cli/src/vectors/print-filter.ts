import type { FieldPath, Filter, Range, Scalar } from "@kindred/contracts/vector-store/v1";
import { isBareName } from "./filter-tokens.ts";

/** The filter as `parseFilter` reads it: the same filter comes of it. */
export function printFilter(filter: Filter): string {
  const { condition } = filter;
  switch (condition.case) {
    case "and":
      return joined(condition.value.filters, "and", "all");
    case "or":
      return joined(condition.value.filters, "or", "any");
    case "not":
      return negated(condition.value);
    case "eq":
      return `${fieldOf(condition.value)} = ${valueOf(condition.value)}`;
    case "in":
      return `${fieldOf(condition.value)} in ${listOf(condition.value.values)}`;
    case "range":
      return printRange(condition.value);
    case "exists":
      return `exists(${printFieldPath(condition.value)})`;
    case "contains":
      return `${fieldOf(condition.value)} contains ${valueOf(condition.value)}`;
    case "prefix":
      return `${fieldOf(condition.value)} ^= ${JSON.stringify(condition.value.prefix)}`;
    case undefined:
      return "";
  }
}

export function printFieldPath({ segments }: Pick<FieldPath, "segments">): string {
  return segments.map((name) => (isBareName(name) ? name : JSON.stringify(name))).join(".");
}

function joined(filters: readonly Filter[], word: "and" | "or", call: "all" | "any"): string {
  if (filters.length < 2) return `${call}(${filters.map(printFilter).join(", ")})`;
  return filters
    .map((filter) => (isJoined(filter) ? `(${printFilter(filter)})` : printFilter(filter)))
    .join(` ${word} `);
}

function isJoined({ condition }: Filter): boolean {
  return (condition.case === "and" || condition.case === "or") && condition.value.filters.length > 1;
}

function negated(filter: Filter): string {
  const { condition } = filter;
  if (condition.case === "eq") return `${fieldOf(condition.value)} != ${valueOf(condition.value)}`;
  if (condition.case === "in") return `${fieldOf(condition.value)} not in ${listOf(condition.value.values)}`;
  return isJoined(filter) ? `not (${printFilter(filter)})` : `not ${printFilter(filter)}`;
}

function printRange(range: Range): string {
  const field = fieldOf(range);
  const lower = range.gt
    ? ([">", "<", range.gt] as const)
    : range.gte
      ? ([">=", "<=", range.gte] as const)
      : undefined;
  const upper = range.lt ? (["<", range.lt] as const) : range.lte ? (["<=", range.lte] as const) : undefined;
  if (lower && upper)
    return `${printScalar(lower[2])} ${lower[1]} ${field} ${upper[0]} ${printScalar(upper[1])}`;
  if (lower) return `${field} ${lower[0]} ${printScalar(lower[2])}`;
  if (upper) return `${field} ${upper[0]} ${printScalar(upper[1])}`;
  return "";
}

function fieldOf({ field }: { field?: FieldPath | undefined }): string {
  return field ? printFieldPath(field) : "";
}

function valueOf({ value }: { value?: Scalar | undefined }): string {
  return value ? printScalar(value) : "";
}

function listOf(values: readonly Scalar[]): string {
  return `(${values.map(printScalar).join(", ")})`;
}

function printScalar({ value }: Scalar): string {
  switch (value.case) {
    case "text":
      return JSON.stringify(value.value);
    case "number":
      return printNumber(value.value);
    case "integer":
    case "boolean":
      return String(value.value);
    case undefined:
      return "";
  }
}

function printNumber(value: number): string {
  if (Object.is(value, -0)) return "-0";
  // Digits alone would be read as an integer of 64 bits.
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : String(value);
}
