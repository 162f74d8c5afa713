import type {
  FieldPath as FieldPathMessage,
  Filter as FilterMessage,
  Range as RangeMessage,
  Scalar as ScalarMessage,
} from "@kindred/contracts/vector-store/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { Bound, FieldPath, Filter, Scalar } from "../domain/filter.ts";
import { checkText } from "./text-checks.ts";

const MAX_DEPTH = 16;
const MAX_CONDITIONS = 256;
const MAX_SEGMENTS = 16;
const MAX_SEGMENT_CHARACTERS = 200;
const MAX_VALUES = 1000;

interface Reading {
  checks: FieldChecks;
  /** Conditions met so far, in the whole filter. */
  conditions: number;
}

/**
 * The filter that a message stands for; what is wrong with it goes to `checks`, with its place below `path`, e.g.
 * `where.and.filters[1].range.gt`. Undefined without a message, and where something is wrong.
 */
export function readFilter(
  message: FilterMessage | undefined,
  path: string,
  checks: FieldChecks,
): Filter | undefined {
  if (!message) return undefined;
  const reading = { checks, conditions: 0 };
  const filter = readCondition(message, path, 1, reading);
  if (reading.conditions > MAX_CONDITIONS) checks.add(path, `must have at most ${MAX_CONDITIONS} conditions`);
  return filter;
}

function readCondition(
  { condition }: FilterMessage,
  path: string,
  depth: number,
  reading: Reading,
): Filter | undefined {
  const { checks } = reading;
  // One violation says it for the whole filter.
  if (++reading.conditions > MAX_CONDITIONS) return undefined;
  if (depth > MAX_DEPTH) {
    checks.add(path, `must be at most ${MAX_DEPTH} levels deep`);
    return undefined;
  }
  const at = `${path}.${condition.case}`;
  switch (condition.case) {
    case undefined:
      checks.add(`${path}.condition`, "is required: and, or, not, eq, in, range, exists, contains or prefix");
      return undefined;
    case "and":
    case "or": {
      const filters = condition.value.filters.map((filter, i) =>
        readCondition(filter, `${at}.filters[${i}]`, depth + 1, reading),
      );
      return { kind: condition.case, filters: filters.filter((filter) => filter !== undefined) };
    }
    case "not": {
      const filter = readCondition(condition.value, at, depth + 1, reading);
      return filter && { kind: "not", filter };
    }
    case "eq":
    case "contains": {
      const field = readFieldPath(condition.value.field, `${at}.field`, checks);
      const value = readScalar(condition.value.value, `${at}.value`, checks);
      return value === undefined ? undefined : { kind: condition.case, path: field, value };
    }
    case "in": {
      const { field, values } = condition.value;
      if (values.length > MAX_VALUES) {
        checks.add(`${at}.values`, `must be at most ${MAX_VALUES}, are ${values.length}`);
        return undefined;
      }
      const read = values.map((value, i) => readScalar(value, `${at}.values[${i}]`, checks));
      return {
        kind: "in",
        path: readFieldPath(field, `${at}.field`, checks),
        values: read.filter((value) => value !== undefined),
      };
    }
    case "range":
      return readRange(condition.value, at, checks);
    case "exists":
      return { kind: "exists", path: readFieldPath(condition.value, at, checks) };
    case "prefix": {
      const { field, prefix } = condition.value;
      checkText(checks, `${at}.prefix`, prefix, { required: true });
      return { kind: "prefix", path: readFieldPath(field, `${at}.field`, checks), prefix };
    }
  }
}

/** 1 to 16 names; anything else goes to `checks`. */
export function readFieldPath(
  message: FieldPathMessage | undefined,
  path: string,
  checks: FieldChecks,
): FieldPath {
  const segments = message?.segments ?? [];
  if (segments.length === 0 || segments.length > MAX_SEGMENTS) {
    checks.add(`${path}.segments`, `must be 1 to ${MAX_SEGMENTS}, are ${segments.length}`);
    return segments;
  }
  for (const [i, segment] of segments.entries()) {
    checkText(checks, `${path}.segments[${i}]`, segment, {
      required: true,
      maxCharacters: MAX_SEGMENT_CHARACTERS,
    });
  }
  return segments;
}

/** Undefined, with a violation, where there is no value. */
export function readScalar(
  message: ScalarMessage | undefined,
  path: string,
  checks: FieldChecks,
): Scalar | undefined {
  const value = message?.value;
  switch (value?.case) {
    case undefined:
      checks.add(path, "is required: text, number, integer or boolean");
      return undefined;
    case "text":
      checkText(checks, `${path}.text`, value.value);
      break;
    case "number":
      checks.finite(`${path}.number`, value.value);
      break;
    case "integer":
    case "boolean":
  }
  return value.value;
}

const BOUNDS = [
  { name: "gt", side: "lower", inclusive: false },
  { name: "gte", side: "lower", inclusive: true },
  { name: "lt", side: "upper", inclusive: false },
  { name: "lte", side: "upper", inclusive: true },
] as const;

function readRange(message: RangeMessage, at: string, checks: FieldChecks): Filter {
  const found: Partial<Record<"lower" | "upper", Bound & { name: string }>> = {};
  for (const { name, side, inclusive } of BOUNDS) {
    if (!message[name]) continue;
    const other = found[side]?.name;
    if (other !== undefined) checks.add(`${at}.${name}`, `must not be set together with ${other}`);
    const value = readScalar(message[name], `${at}.${name}`, checks);
    if (typeof value === "boolean") checks.add(`${at}.${name}`, "must be a text or a number");
    else if (value !== undefined) found[side] = { name, value, inclusive };
  }
  const { lower, upper } = found;
  if (BOUNDS.every(({ name }) => !message[name])) {
    checks.add(at, "needs a bound: gt, gte, lt or lte");
  } else if (lower && upper && (typeof lower.value === "string") !== (typeof upper.value === "string")) {
    checks.add(
      `${at}.${upper.name}`,
      `must be of the same type as ${lower.name}: both texts or both numbers`,
    );
  }
  return {
    kind: "range",
    path: readFieldPath(message.field, `${at}.field`, checks),
    lower: lower && { value: lower.value, inclusive: lower.inclusive },
    upper: upper && { value: upper.value, inclusive: upper.inclusive },
  };
}
