import { create, equals, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { FilterSchema, type Filter } from "@kindred/contracts/vector-store/v1";
import * as fc from "fast-check";
import { parseFieldPath, parseFilter } from "./filter-expression.ts";
import { printFilter } from "./print-filter.ts";

const field = (...segments: string[]) => ({ segments });
const eq = (name: string, value: JsonValue) => ({ eq: { field: field(name), value } });
const [A, B, C] = [eq("a", { number: 1 }), eq("b", { number: 2 }), eq("c", { number: 3 })];

describe("what is written is what is meant", () => {
  test.each<[string, JsonValue]>([
    ["a = 1", A],
    ["a == 1", A],
    ["1 = a", A],
    ["( (a=1) )", A],
    ["a != 1", { not: A }],
    ["a <> 1", { not: A }],
    ['title = "x"', eq("title", { text: "x" })],
    ["title = 'it''s \"x\"'", eq("title", { text: 'it\'s "x"' })],
    ['title = "a\\"b\\u00e4\\n"', eq("title", { text: 'a"bä\n' })],
    ['title = "two\nlines"', eq("title", { text: "two\nlines" })],
    ["live = true", eq("live", { boolean: true })],
    ["live = FALSE", eq("live", { boolean: false })],
    ["a = -1.5e3", eq("a", { number: -1500 })],
    ["a = .5", eq("a", { number: 0.5 })],
    ["a = 9007199254740993", eq("a", { integer: "9007199254740993" })],
    ["a = -9223372036854775808", eq("a", { integer: "-9223372036854775808" })],
    ["a > 1", { range: { field: field("a"), gt: { number: 1 } } }],
    ["1 < a", { range: { field: field("a"), gt: { number: 1 } } }],
    ["a<=1", { range: { field: field("a"), lte: { number: 1 } } }],
    ['"2020" <= day', { range: { field: field("day"), gte: { text: "2020" } } }],
    ["1990 <= year < 2000", { range: { field: field("year"), gte: { number: 1990 }, lt: { number: 2000 } } }],
    ["2000 >= year > 1990", { range: { field: field("year"), gt: { number: 1990 }, lte: { number: 2000 } } }],
    [
      '"a" <= "home town" < "b"',
      { range: { field: field("home town"), gte: { text: "a" }, lt: { text: "b" } } },
    ],
    ['"home town" = "x"', eq("home town", { text: "x" })],
    [
      "genre in ('jazz', \"blues\")",
      { in: { field: field("genre"), values: [{ text: "jazz" }, { text: "blues" }] } },
    ],
    ["genre in ()", { in: { field: field("genre"), values: [] } }],
    ["genre NOT IN (1)", { not: { in: { field: field("genre"), values: [{ number: 1 }] } } }],
    ["exists(deleted)", { exists: field("deleted") }],
    ["not exists(a.b)", { not: { exists: field("a", "b") } }],
    ['tags contains "live"', { contains: { field: field("tags"), value: { text: "live" } } }],
    ['title ^= "The"', { prefix: { field: field("title"), prefix: "The" } }],
    [
      'artist."home town".größe = 1',
      { eq: { field: field("artist", "home town", "größe"), value: { number: 1 } } },
    ],
    ['"and"."not" = 1', { eq: { field: field("and", "not"), value: { number: 1 } } }],
    ["all()", { and: {} }],
    ["any()", { or: {} }],
    ["all(a = 1)", { and: { filters: [A] } }],
    ["ANY(a = 1, b = 2)", { or: { filters: [A, B] } }],
    [
      "notes = 1 and order = 2",
      { and: { filters: [eq("notes", { number: 1 }), eq("order", { number: 2 })] } },
    ],
    ["home-town = 1", eq("home-town", { number: 1 })],
  ])("%s", (source, expected) => {
    expect(parseFilter(source)).toEqual(fromJson(FilterSchema, expected));
  });

  test.each<[string, JsonValue]>([
    ["a = 1 and b = 2 and c = 3", { and: { filters: [A, B, C] } }],
    ["a = 1 or b = 2 and c = 3", { or: { filters: [A, { and: { filters: [B, C] } }] } }],
    ["(a = 1 or b = 2) and c = 3", { and: { filters: [{ or: { filters: [A, B] } }, C] } }],
    ["not a = 1 and b = 2", { and: { filters: [{ not: A }, B] } }],
    ["not (a = 1 and b = 2)", { not: { and: { filters: [A, B] } } }],
    ["not not a = 1", { not: { not: A } }],
    ["a = 1 and (b = 2 and c = 3)", { and: { filters: [A, { and: { filters: [B, C] } }] } }],
    ["a = 1 AND b = 2 Or c = 3", { or: { filters: [{ and: { filters: [A, B] } }, C] } }],
  ])("precedence: %s", (source, expected) => {
    expect(parseFilter(source)).toEqual(fromJson(FilterSchema, expected));
  });
});

describe("a mistake is pointed at", () => {
  test.each<[string, number, RegExp]>([
    ["", 1, /^expected a condition/],
    ["year =", 7, /^expected a value behind =, found the end$/],
    ["year", 5, /^expected =, !=.*found the end$/],
    ["year = 1 2", 10, /^expected "and", "or" or the end, found 2$/],
    ["year = 1 and", 13, /^expected a field/],
    ["(a = 1", 7, /^expected "\)", found the end$/],
    ["a = 1)", 6, /"and", "or" or the end, found \)/],
    ["genre = jazz", 9, /texts stand in quotes/],
    ["genre in (jazz)", 11, /expected a number, true, false or a text in quotes, found jazz/],
    ["genre in 1", 10, /^expected "\("/],
    ["a & b", 3, /write "and", "or", "not"/],
    ['a = "x', 5, /has no end/],
    ['a = "\\x"', 5, /JSON/],
    ["1 = 2", 1, /no field/],
    ["a ^= 5", 6, /expected a text/],
    ["a = null", 5, /exists\(field\)/],
    ["a > true", 5, /not true and false/],
    ["1 <= a > 2", 8, /is no range/],
    ["1 <= a < 'x'", 10, /both numbers or both texts/],
    ["1 <= 2 < 3", 6, /expected a field/],
    ["a not 5", 7, /expected "in" behind "not"/],
    ["a = 99999999999999999999", 5, /more than 64 bits.*1e\+20/],
    ["a = 1e999", 5, /too large/],
    ["a. = 1", 4, /name of a field/],
    ['"".b = 1', 1, /not empty/],
    ["exists(a", 9, /^expected "\)"/],
    ["in = 1", 1, /stands in double quotes/],
    [`${"(".repeat(150)}a = 1`, 101, /too deep/],
    [`${"not ".repeat(150)}a = 1`, 401, /too deep/],
  ])("%s", (source, column, message) => {
    const mistake = (() => {
      try {
        return parseFilter(source);
      } catch (error) {
        return error;
      }
    })();
    expect(mistake).toMatchObject({ name: "FilterSyntaxError", message: expect.stringMatching(message) });
    expect((mistake as { at: number }).at + 1).toBe(column);
  });
});

test("a path by itself", () => {
  expect(parseFieldPath('artist."home town"').segments).toEqual(["artist", "home town"]);
  expect(() => parseFieldPath("a b")).toThrow('expected "." or the end, found b');
});

describe("print and parse", () => {
  const text = fc.string({ unit: "binary", maxLength: 6 }).map((value) => value.toWellFormed());
  const name = fc.oneof(
    fc.constantFrom(
      "a",
      "year",
      "and",
      "NOT",
      "true",
      "all",
      "exists",
      "home town",
      "größe",
      'q"uote',
      "1st",
      "-x",
      "a.b",
    ),
    text.filter((value) => value !== ""),
  );
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((segments) => ({ segments }));
  const number = fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((value) => ({ case: "number" as const, value }));
  const integer = fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    // Smaller ones are written as numbers are.
    .filter((value) => !Number.isSafeInteger(Number(value)))
    .map((value) => ({ case: "integer" as const, value }));
  const textual = text.map((value) => ({ case: "text" as const, value }));
  const boolean = fc.boolean().map((value) => ({ case: "boolean" as const, value }));
  const scalar = fc.oneof(number, integer, textual, boolean).map((value) => ({ value }));
  const pair = fc.oneof(
    fc.tuple(fc.oneof(number, integer), fc.oneof(number, integer)),
    fc.tuple(textual, textual),
  );
  const range = fc
    .tuple(path, pair, fc.constantFrom("gt", "gte", "none"), fc.constantFrom("lt", "lte", "none"))
    .filter(([, , lower, upper]) => lower !== "none" || upper !== "none")
    .map(([of, [low, high], lower, upper]) => ({
      case: "range" as const,
      value: {
        field: of,
        ...(lower !== "none" && { [lower]: { value: low } }),
        ...(upper !== "none" && { [upper]: { value: high } }),
      },
    }));
  const leaf = fc.oneof(
    fc.record({ case: fc.constant("eq" as const), value: fc.record({ field: path, value: scalar }) }),
    fc.record({
      case: fc.constant("in" as const),
      value: fc.record({ field: path, values: fc.array(scalar, { maxLength: 3 }) }),
    }),
    fc.record({ case: fc.constant("contains" as const), value: fc.record({ field: path, value: scalar }) }),
    fc.record({ case: fc.constant("exists" as const), value: path }),
    fc.record({ case: fc.constant("prefix" as const), value: fc.record({ field: path, prefix: text }) }),
    range,
  );
  const filter = fc.letrec<{ filter: Filter; condition: Filter["condition"] }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 4 },
      leaf as unknown as fc.Arbitrary<Filter["condition"]>,
      fc.record({ case: fc.constant("not" as const), value: tie("filter") }),
      fc.record({
        case: fc.constantFrom("and" as const, "or" as const),
        value: fc.record({ filters: fc.array(tie("filter"), { maxLength: 3 }) }),
      }) as unknown as fc.Arbitrary<Filter["condition"]>,
    ),
    filter: tie("condition").map((condition) => create(FilterSchema, { condition })),
  })).filter;

  test("every filter is read back as the same one", () => {
    fc.assert(
      fc.property(filter, (written) => {
        const source = printFilter(written);
        expect({ source, same: equals(FilterSchema, parseFilter(source), written) }).toEqual({
          source,
          same: true,
        });
      }),
      { numRuns: 2_000 },
    );
  });

  test("whatever is written is read, or refused with a place inside it", () => {
    const piece = fc.constantFrom(
      "a",
      "and",
      "or",
      "not",
      "in",
      "(",
      ")",
      ",",
      "=",
      "<",
      "1",
      '"x"',
      "'y'",
      ".",
      "^=",
      "all",
      "exists",
      " ",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(" ")),
        ),
        (source) => {
          try {
            parseFilter(source);
          } catch (error) {
            expect(error).toMatchObject({ name: "FilterSyntaxError" });
            const { at } = error as { at: number };
            expect(at).toBeGreaterThanOrEqual(0);
            expect(at).toBeLessThanOrEqual(source.length);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
