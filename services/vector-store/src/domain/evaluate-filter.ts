import type { Bound, FieldPath, Filter, Scalar } from "./filter.ts";
import type { JsonObject, JsonValue } from "./image.ts";
import { compareCodePoints } from "./key-order.ts";

/**
 * What a filter means, over the fields of one item as JSON.parse gives them. The statements that filter in PostgreSQL agree
 * with it.
 */
export function evaluateFilter(filter: Filter, fields: JsonObject): boolean {
  switch (filter.kind) {
    case "and":
      return filter.filters.every((each) => evaluateFilter(each, fields));
    case "or":
      return filter.filters.some((each) => evaluateFilter(each, fields));
    case "not":
      return !evaluateFilter(filter.filter, fields);
    case "eq":
      return isEqual(fieldAt(fields, filter.path), filter.value);
    case "in": {
      const field = fieldAt(fields, filter.path);
      return filter.values.some((value) => isEqual(field, value));
    }
    case "range": {
      const field = fieldAt(fields, filter.path);
      return isBeyond(field, filter.lower, 1) && isBeyond(field, filter.upper, -1);
    }
    case "exists":
      return (fieldAt(fields, filter.path) ?? null) !== null;
    case "contains": {
      const field = fieldAt(fields, filter.path);
      return Array.isArray(field) && field.some((element) => isEqual(element, filter.value));
    }
    case "prefix": {
      const field = fieldAt(fields, filter.path);
      return typeof field === "string" && field.startsWith(filter.prefix);
    }
  }
}

/** Undefined where the path leads nowhere; lists are not entered. */
function fieldAt(fields: JsonObject, path: FieldPath): JsonValue | undefined {
  let found: JsonValue | undefined = fields;
  for (const segment of path) {
    if (typeof found !== "object" || found === null || Array.isArray(found)) return undefined;
    found = Object.hasOwn(found, segment) ? found[segment] : undefined;
  }
  return found;
}

function isEqual(field: JsonValue | undefined, value: Scalar): boolean {
  if (typeof field === "number" && typeof value === "bigint") return asWritten(field) === value;
  return field === value;
}

/** Whether the field lies on the bound's side of it: 1 is above, -1 below. */
function isBeyond(field: JsonValue | undefined, bound: Bound | undefined, side: 1 | -1): boolean {
  if (!bound) return true;
  const order = compare(field, bound.value);
  return order !== undefined && (order * side > 0 || (order === 0 && bound.inclusive));
}

/** As sort() wants it; undefined for what has no order. */
function compare(field: JsonValue | undefined, value: Scalar): number | undefined {
  if (typeof field === "string" && typeof value === "string") return compareCodePoints(field, value);
  if (typeof field !== "number" || (typeof value !== "number" && typeof value !== "bigint")) return undefined;
  const left = typeof value === "bigint" ? asWritten(field) : field;
  return left < value ? -1 : left > value ? 1 : 0;
}

/**
 * A JSON number is the decimal that is written, which is not always its double's value: 2^60 is written as 1152921504606847000.
 * That makes a difference to integers beyond 2^53 only, which doubles are not compared with but exact ones are.
 */
function asWritten(number: number): number | bigint {
  return Number.isInteger(number) && Math.abs(number) < 1e21 ? BigInt(String(number)) : number;
}
