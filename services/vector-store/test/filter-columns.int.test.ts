import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import pg from "pg";
import { countStatement, filterCondition } from "../src/adapters/postgres/filter-condition.ts";
import { startStatement } from "../src/adapters/postgres/sql.ts";
import type { Filter } from "../src/domain/filter.ts";
import type { JsonObject, JsonValue } from "../src/domain/image.ts";
import type { FieldColumn, FieldType, Layout, TableRole } from "../src/domain/layout.ts";
import { filtersOn, integers, json, numbers, scalars, texts, type Field } from "./arbitrary-filters.ts";
import { expected, openTables, shape, viaItems, type FilteredTables } from "./filtered-tables.ts";

const UUIDS = [
  "00000000-0000-4000-8000-000000000000",
  "0a000000-0000-4000-8000-00000000000f",
  "ffffffff-ffff-4fff-bfff-ffffffffffff",
];
const TIMES = [
  "0001-01-01T00:00:00.000000Z",
  "2026-01-31T23:59:59.999999Z",
  "2026-02-01T00:00:00.000000Z",
  "9999-12-31T23:59:59.999999Z",
];
const DATES = ["0001-01-01", "2024-02-29", "2026-02-01", "9999-12-31"];

interface ColumnCase {
  type: FieldType;
  sql: string;
  /** What is stored, as JSON and so as the evaluator sees it. */
  values: fc.Arbitrary<JsonValue>;
  /** What conditions may compare it with. */
  asked: Omit<Field, "path">;
}

const exactNumbers = fc.oneof(numbers, integers);
const times = {
  scalars: fc.oneof(fc.constantFrom(...TIMES), numbers, fc.boolean()),
  numbers: exactNumbers,
  prefix: false,
};
const compared = { scalars, texts, numbers: exactNumbers, prefix: true };
const COLUMNS: Record<string, ColumnCase> = {
  t: { type: "text", sql: "text", values: texts, asked: compared },
  'vc"': { type: "text", sql: "varchar(40)", values: texts, asked: compared },
  u: {
    type: "uuid",
    sql: "uuid",
    values: fc.constantFrom(...UUIDS),
    asked: {
      scalars: fc.oneof(fc.constantFrom(...UUIDS), scalars),
      texts: fc.constantFrom(...UUIDS),
      numbers: exactNumbers,
      prefix: true,
    },
  },
  n: { type: "number", sql: "numeric", values: numbers, asked: compared },
  f: {
    type: "number",
    sql: "double precision",
    values: numbers,
    // Integers that no double has are rounded by a column of doubles.
    asked: { scalars: fc.oneof(texts, numbers, fc.boolean()), texts, numbers, prefix: true },
  },
  s: { type: "integer", sql: "smallint", values: fc.integer({ min: -2, max: 2 }), asked: compared },
  i: { type: "integer", sql: "bigint", values: fc.maxSafeInteger(), asked: compared },
  b: { type: "boolean", sql: "boolean", values: fc.boolean(), asked: compared },
  ts: {
    type: "timestamp",
    sql: "timestamptz",
    values: fc.constantFrom(...TIMES),
    asked: { ...times, texts: fc.constantFrom(...TIMES) },
  },
  d: {
    type: "date",
    sql: "date",
    values: fc.constantFrom(...DATES),
    asked: {
      ...times,
      scalars: fc.oneof(fc.constantFrom(...DATES), integers),
      texts: fc.constantFrom(...DATES),
    },
  },
  arr: { type: "text-array", sql: "text[]", values: fc.array(texts, { maxLength: 3 }), asked: compared },
  j: { type: "json", sql: "jsonb", values: json.filter((value) => value !== null), asked: compared },
  js: { type: "json", sql: "json", values: json.filter((value) => value !== null), asked: compared },
  o: { type: "other", sql: "int4range", values: fc.constant([]), asked: compared },
};
const NAMES = Object.keys(COLUMNS);

/** A column for each case in both tables; a layout takes each one from one of them. */
const columnsLayout = (inItems: ReadonlySet<string>, complete: boolean): Layout => ({
  ...shape,
  items: inItems.size > 0 ? { ...viaItems, complete } : undefined,
  fields: {
    kind: "columns",
    columns: new Map(
      NAMES.map((name): [string, FieldColumn] => {
        const of: TableRole = inItems.has(name) ? "items" : "vectors";
        return [name, { of, column: name, type: (COLUMNS[name] as ColumnCase).type }];
      }),
    ),
  },
});

let tables: FilteredTables;

beforeAll(async () => {
  const columns = NAMES.map((name) => `, ${pg.escapeIdentifier(name)} ${COLUMNS[name]?.sql}`).join("");
  tables = await openTables({ vectors: columns, items: columns });
}, 60_000);
afterAll(async () => {
  await tables?.[Symbol.asyncDispose]();
});

describe("columns", () => {
  /** JSON as a column of that type takes it in. */
  const stored = (name: string, value: JsonValue | undefined): unknown => {
    if (value === undefined || value === null) return null;
    const { type } = COLUMNS[name] as ColumnCase;
    if (type === "json") return JSON.stringify(value);
    if (type === "other") return "[1,2)";
    return type === "number" ? String(value) : value;
  };

  interface Row {
    fields: JsonObject;
    hasItem: boolean;
  }
  const rows = fc.array(
    fc.record({
      fields: fc.record(
        Object.fromEntries(
          NAMES.map((name) => [name, fc.option((COLUMNS[name] as ColumnCase).values, { freq: 5 })]),
        ),
      ) as fc.Arbitrary<JsonObject>,
      hasItem: fc.boolean(),
    }),
    { minLength: 1, maxLength: 20 },
  );

  async function store(
    given: readonly Row[],
    inItems: ReadonlySet<string>,
    complete: boolean,
  ): Promise<void> {
    await tables.client.query("TRUNCATE v_vectors, v_items");
    for (const [target, role] of [
      ["v_vectors", "vectors"],
      ["v_items", "items"],
    ]) {
      const statement = startStatement();
      const tuples = given.flatMap(({ fields, hasItem }, id) => {
        if (role === "items" && !complete && !hasItem) return [];
        const values = NAMES.map((name) =>
          statement.parameter(inItems.has(name) === (role === "items") ? stored(name, fields[name]) : null),
        );
        return [`(${[id, ...values].join(", ")})`];
      });
      if (tuples.length > 0) {
        await tables.client.query(`INSERT INTO ${target} VALUES ${tuples.join(", ")}`, statement.values);
      }
    }
  }

  const documentsOf = (
    given: readonly Row[],
    inItems: ReadonlySet<string>,
    complete: boolean,
  ): JsonObject[] =>
    given.map(({ fields, hasItem }) =>
      Object.fromEntries(
        Object.entries(fields).filter(([name]) => complete || hasItem || !inItems.has(name)),
      ),
    );

  const columnFields = NAMES.map((name): Field => {
    const rest = fc.oneof(
      { weight: 3, arbitrary: fc.constant<string[]>([]) },
      { weight: 1, arbitrary: fc.array(fc.constantFrom("a", "b", "0"), { maxLength: 2 }) },
    );
    return { ...(COLUMNS[name] as ColumnCase).asked, path: rest.map((further) => [name, ...further]) };
  });

  test("mean what the evaluator says of the rows as JSON, whichever of two tables they are in", async () => {
    const property = fc.asyncProperty(
      rows,
      fc.array(filtersOn(columnFields), { minLength: 1, maxLength: 25 }),
      fc.subarray(NAMES),
      fc.boolean(),
      async (given, asked, items, complete) => {
        const inItems = new Set(items);
        await store(given, inItems, complete);
        const layout = columnsLayout(inItems, complete);
        const documents = documentsOf(given, inItems, complete);
        const wanted = asked.map((filter) => expected(filter, documents));
        expect(await tables.passing(asked, layout)).toEqual(wanted);
        const counted = countStatement(asked[0] as Filter, layout, 5);
        expect(await tables.countOf(counted)).toBe(Math.min(5, wanted[0]?.length as number));
      },
    );
    await fc.assert(property, { numRuns: 200 });
  }, 100_000);

  describe("of one row each", () => {
    const layout = columnsLayout(new Set(), true);
    const rowsWith = async (name: string, values: readonly JsonValue[]): Promise<void> =>
      store(
        values.map((value) => ({ fields: { [name]: value }, hasItem: false })),
        new Set(),
        true,
      );

    test("integers beyond what a double holds", async () => {
      const largest = 2n ** 63n - 1n;
      await rowsWith("i", ["9223372036854775806", String(largest)]);
      const path = ["i"];
      const bound = (
        value: number | bigint,
        inclusive = true,
      ): { value: number | bigint; inclusive: boolean } => ({
        value,
        inclusive,
      });
      const filters: Filter[] = [
        { kind: "eq", path, value: largest },
        { kind: "in", path, values: [largest, 1.5, 1e300, "x"] },
        { kind: "range", path, lower: bound(largest), upper: undefined },
        // 2^63, which is no bigint.
        { kind: "eq", path, value: Number(largest) },
        { kind: "range", path, lower: undefined, upper: bound(Number(largest), false) },
        { kind: "range", path, lower: bound(-1e300), upper: bound(1e300) },
        { kind: "range", path, lower: bound(1e300), upper: undefined },
      ];
      expect(await tables.passing(filters, layout)).toEqual([[1], [1], [1], [], [0, 1], [0, 1], []]);
    });

    test("times with offsets and digits beyond microseconds", async () => {
      await rowsWith("ts", ["2026-01-31T12:00:00.000001Z"]);
      const path = ["ts"];
      const eq = (value: string): Filter => ({ kind: "eq", path, value });
      const above = (value: string, inclusive: boolean): Filter => ({
        kind: "range",
        path,
        lower: { value, inclusive },
        upper: undefined,
      });
      const below = (value: string, inclusive: boolean): Filter => ({
        kind: "range",
        path,
        lower: undefined,
        upper: { value, inclusive },
      });
      const filters = [
        eq("2026-01-31t17:45:00.0000010+05:45"),
        eq("2026-01-31T12:00:00.0000011Z"),
        above("2026-01-31T12:00:00.0000009Z", false),
        above("2026-01-31T12:00:00.0000011Z", true),
        below("2026-01-31T12:00:00.0000011Z", false),
        below("2026-01-31T12:00:00.0000009Z", true),
      ];
      expect(await tables.passing(filters, layout)).toEqual([[0], [], [0], [], [0], []]);
    });

    test("UUIDs in capitals", async () => {
      await rowsWith("u", [UUIDS[2] as string]);
      const filter: Filter = { kind: "eq", path: ["u"], value: (UUIDS[2] as string).toUpperCase() };
      expect(await tables.passing([filter], layout)).toEqual([[0]]);
    });
  });

  test("are served by their own indexes", async () => {
    await tables.client.query(`
      CREATE TEMP TABLE indexed (id int PRIMARY KEY, name varchar(50), size int, at timestamptz, tags varchar(9)[])`);
    await tables.client.query(`
      INSERT INTO indexed
      SELECT i, 'n' || i, i, '2026-01-01Z'::timestamptz + i * interval '1 s', ARRAY['t' || i]::varchar[]
        FROM generate_series(1, 5000) i`);
    for (const column of ["name", "size", "at"])
      await tables.client.query(`CREATE INDEX ON indexed (${column})`);
    await tables.client.query("CREATE INDEX ON indexed USING gin (tags)");
    await tables.client.query("ANALYZE indexed");
    const of = (column: string, type: FieldType): [string, FieldColumn] => [
      column,
      { of: "vectors", column, type },
    ];
    const layout: Layout = {
      ...shape,
      items: undefined,
      fields: {
        kind: "columns",
        columns: new Map([
          of("name", "text"),
          of("size", "integer"),
          of("at", "timestamp"),
          of("tags", "text-array"),
        ]),
      },
    };
    const lower = { value: "2026-01-01T01:23:00Z", inclusive: false };
    for (const [column, filter] of Object.entries({
      name: { kind: "eq", path: ["name"], value: "n7" },
      size: { kind: "range", path: ["size"], lower: { value: 4990.5, inclusive: true }, upper: undefined },
      at: { kind: "range", path: ["at"], lower, upper: undefined },
      tags: { kind: "contains", path: ["tags"], value: "t7" },
    } satisfies Record<string, Filter>)) {
      const { values, parameter } = startStatement();
      const where = filterCondition(filter, layout, parameter);
      const { rows: plan } = await tables.client.query<{ "QUERY PLAN": string }>(
        `EXPLAIN SELECT id FROM indexed v WHERE ${where}`,
        values,
      );
      expect(plan.map((row) => row["QUERY PLAN"]).join("\n")).toContain(`indexed_${column}_idx`);
    }
  });
});
