import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { FilterSchema } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { Filter } from "../domain/filter.ts";
import { readFilter } from "./read-filter.ts";

type Condition = NonNullable<MessageInitShape<typeof FilterSchema>["condition"]>;
type FilterInit = { condition: Condition };

function read(condition: Condition): { filter: Filter | undefined; problems: string[] } {
  const checks = startChecks();
  const filter = readFilter(create(FilterSchema, { condition }), "where", checks);
  return { filter, problems: checks.violations.map(({ field, description }) => `${field} ${description}`) };
}

const field = { segments: ["a", "b"] };
const path = field.segments;
const text = (value: string) => ({ value: { case: "text" as const, value } });
const number = (value: number) => ({ value: { case: "number" as const, value } });
const integer = (value: bigint) => ({ value: { case: "integer" as const, value } });
const boolean = (value: boolean) => ({ value: { case: "boolean" as const, value } });
const exists: FilterInit = { condition: { case: "exists", value: field } };
const list = (kind: "and" | "or", ...filters: FilterInit[]): FilterInit => ({
  condition: { case: kind, value: { filters } },
});
const not = (inner: FilterInit): FilterInit => ({
  condition: { case: "not", value: create(FilterSchema, inner) },
});

test("no filter is none", () => {
  const checks = startChecks();
  expect(readFilter(undefined, "where", checks)).toBeUndefined();
  expect(checks.violations).toEqual([]);
});

test.each<[string, Condition, Filter]>([
  [
    "and, or, not",
    list("and", list("or"), not(exists)).condition,
    {
      kind: "and",
      filters: [
        { kind: "or", filters: [] },
        { kind: "not", filter: { kind: "exists", path } },
      ],
    },
  ],
  ["a text", { case: "eq", value: { field, value: text("") } }, { kind: "eq", path, value: "" }],
  [
    "values of several types",
    { case: "in", value: { field, values: [number(-0.5), integer(2n ** 62n), boolean(false)] } },
    { kind: "in", path, values: [-0.5, 2n ** 62n, false] },
  ],
  [
    "an element",
    { case: "contains", value: { field, value: boolean(true) } },
    { kind: "contains", path, value: true },
  ],
  [
    "a range",
    { case: "range", value: { field, gt: number(0), lte: integer(5n) } },
    { kind: "range", path, lower: { value: 0, inclusive: false }, upper: { value: 5n, inclusive: true } },
  ],
  [
    "half a range",
    { case: "range", value: { field, gte: text("x") } },
    { kind: "range", path, lower: { value: "x", inclusive: true }, upper: undefined },
  ],
  ["a prefix", { case: "prefix", value: { field, prefix: "p" } }, { kind: "prefix", path, prefix: "p" }],
])("reads %s", (_, condition, filter) => {
  expect(read(condition)).toEqual({ filter, problems: [] });
});

test.each<[string, Condition, string]>([
  [
    "no condition",
    list("and", exists, { condition: { case: undefined } }).condition,
    "where.and.filters[1].condition is required: and, or, not, eq, in, range, exists, contains or prefix",
  ],
  ["no field", { case: "eq", value: { value: text("x") } }, "where.eq.field.segments must be 1 to 16, are 0"],
  [
    "a long path",
    { case: "exists", value: { segments: Array.from({ length: 17 }, () => "a") } },
    "where.exists.segments must be 1 to 16, are 17",
  ],
  [
    "an empty segment",
    { case: "exists", value: { segments: ["a", ""] } },
    "where.exists.segments[1] must not be empty",
  ],
  [
    "a long segment",
    { case: "exists", value: { segments: ["é".repeat(201)] } },
    "where.exists.segments[0] must be at most 200 characters, has 201",
  ],
  [
    "NUL in a segment",
    { case: "exists", value: { segments: ["a\0"] } },
    "where.exists.segments[0] must not contain NUL characters",
  ],
  [
    "no value",
    { case: "eq", value: { field } },
    "where.eq.value is required: text, number, integer or boolean",
  ],
  [
    "half a surrogate pair",
    { case: "contains", value: { field, value: text("\ud800") } },
    "where.contains.value.text must be well-formed Unicode",
  ],
  [
    "NUL in a value",
    { case: "in", value: { field, values: [text("a"), text("\0")] } },
    "where.in.values[1].text must not contain NUL characters",
  ],
  [
    "a number that is none",
    { case: "in", value: { field, values: [number(Number.NaN)] } },
    "where.in.values[0].number must be a finite number, is NaN",
  ],
  [
    "many values",
    { case: "in", value: { field, values: Array.from({ length: 1001 }, () => number(1)) } },
    "where.in.values must be at most 1000, are 1001",
  ],
  ["an empty range", { case: "range", value: { field } }, "where.range needs a bound: gt, gte, lt or lte"],
  [
    "two lower bounds",
    { case: "range", value: { field, gt: number(1), gte: number(2) } },
    "where.range.gte must not be set together with gt",
  ],
  [
    "two upper bounds below several conditions",
    list("or", exists, { condition: { case: "range", value: { field, lt: number(1), lte: number(1) } } })
      .condition,
    "where.or.filters[1].range.lte must not be set together with lt",
  ],
  [
    "bounds of two types",
    { case: "range", value: { field, gt: number(1), lt: text("2") } },
    "where.range.lt must be of the same type as gt: both texts or both numbers",
  ],
  [
    "a boolean as a bound",
    { case: "range", value: { field, gt: boolean(true) } },
    "where.range.gt must be a text or a number",
  ],
  [
    "a bound without a value",
    { case: "range", value: { field, gt: {} } },
    "where.range.gt is required: text, number, integer or boolean",
  ],
  [
    "an empty prefix",
    { case: "prefix", value: { field, prefix: "" } },
    "where.prefix.prefix must not be empty",
  ],
])("refuses %s", (_, condition, problem) => {
  expect(read(condition).problems).toEqual([problem]);
});

describe("is at most", () => {
  const nested = (depth: number): FilterInit =>
    Array.from({ length: depth - 1 }).reduce<FilterInit>((inner) => not(inner), exists);

  test("16 levels deep", () => {
    expect(read(nested(16).condition).problems).toEqual([]);
    const tooDeep = `where${".not".repeat(16)} must be at most 16 levels deep`;
    expect(read(nested(17).condition).problems).toEqual([tooDeep]);
    expect(read(nested(40).condition).problems).toEqual([tooDeep]);
  });

  test("256 conditions, wherever they are", () => {
    const flat = (count: number): FilterInit => list("and", ...Array.from({ length: count }, () => exists));
    expect(read(flat(255).condition).problems).toEqual([]);
    const tooMany = ["where must have at most 256 conditions"];
    expect(read(flat(256).condition).problems).toEqual(tooMany);
    expect(read(list("or", flat(127), flat(127)).condition).problems).toEqual(tooMany);
    expect(read(flat(5000).condition).problems).toEqual(tooMany);
  });
});

test("names everything that is wrong at once", () => {
  const wrong: FilterInit = { condition: { case: "eq", value: {} } };
  expect(read(list("and", wrong, not(wrong)).condition).problems).toHaveLength(4);
});
