import type { Bound, FieldPath, Scalar } from "../../domain/filter.ts";
import type { FieldCondition } from "./column-condition.ts";
import type { Parameter } from "./sql.ts";

/** Up to so many values an index is asked for each of them; beyond that they are looked up in a list. */
const MAX_CONTAINMENTS = 16;

/**
 * A condition on what the path leads to in a JSONB value. NULL counts as false. `->` with a text enters objects only, as
 * conditions do. Containment agrees with the strict meaning below the top of an object: only at a value's own top does
 * PostgreSQL let a list contain a bare scalar.
 * @param json an expression of type jsonb
 */
export function jsonCondition(
  condition: FieldCondition,
  json: string,
  path: FieldPath,
  parameter: Parameter,
): string {
  const contains = (inner: string): string => `${json} @> ${parameter(nested(path, inner))}::jsonb`;
  switch (condition.kind) {
    case "eq":
      return path.length === 0
        ? `${json} = ${parameter(literal(condition.value))}::jsonb`
        : contains(literal(condition.value));
    case "in": {
      const values = condition.values.map(literal);
      if (values.length === 0) return "false";
      if (path.length > 0 && values.length <= MAX_CONTAINMENTS)
        return `(${values.map(contains).join(" OR ")})`;
      return `${memberSql(json, path, parameter)} = ANY(${parameter(values)}::jsonb[])`;
    }
    case "contains":
      return contains(`[${literal(condition.value)}]`);
    case "exists":
      return `jsonb_typeof(${memberSql(json, path, parameter)}) <> 'null'`;
    case "prefix": {
      const member = memberSql(json, path, parameter);
      return guarded(
        member,
        "string",
        `starts_with(${member} #>> '{}', ${parameter(condition.prefix)}::text)`,
      );
    }
    case "range": {
      const { lower, upper } = condition;
      const member = memberSql(json, path, parameter);
      const ofTexts = typeof (lower ?? upper)?.value === "string";
      const field = ofTexts ? `(${member} #>> '{}') COLLATE "C"` : `(${member})::numeric`;
      const against = (operator: string, bound: Bound | undefined): string[] =>
        bound
          ? [
              `${field} ${operator}${bound.inclusive ? "=" : ""} ${parameter(String(bound.value))}::${ofTexts ? "text" : "numeric"}`,
            ]
          : [];
      const bounds = [...against(">", lower), ...against("<", upper)];
      return guarded(member, ofTexts ? "string" : "number", bounds.join(" AND "));
    }
  }
}

/** The text, number or boolean there as JSONB; NULL for all else. */
export function jsonScalarSql(json: string, path: FieldPath, parameter: Parameter): string {
  const member = memberSql(json, path, parameter);
  return `CASE WHEN jsonb_typeof(${member}) IN ('string', 'number', 'boolean') THEN ${member} END`;
}

function memberSql(json: string, path: FieldPath, parameter: Parameter): string {
  return path.reduce((sql, segment) => `${sql} -> ${parameter(segment)}::text`, json);
}

/** What is computed of a value of one type only: the order in which AND evaluates is not fixed, CASE's is. */
function guarded(member: string, type: string, condition: string): string {
  return `CASE WHEN jsonb_typeof(${member}) = '${type}' THEN ${condition} ELSE false END`;
}

/** As JSON, exactly. */
function literal(value: Scalar): string {
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

/** `{"a":{"b":inner}}`; as text, since `__proto__` would be no ordinary member of an object. */
function nested(path: FieldPath, inner: string): string {
  return path.reduceRight((json, segment) => `{${JSON.stringify(segment)}:${json}}`, inner);
}
