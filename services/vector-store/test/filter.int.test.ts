import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { testDatabase, type TestDatabase } from "@kindred/testing";
import fc from "fast-check";
import pg from "pg";
import {
  countStatement,
  filterCondition,
  groupExpression,
} from "../src/adapters/postgres/filter-condition.ts";
import { itemsJoinSql, startStatement, type Statement } from "../src/adapters/postgres/sql.ts";
import { evaluateFilter } from "../src/domain/evaluate-filter.ts";
import type { Filter } from "../src/domain/filter.ts";
import type { JsonObject, JsonValue } from "../src/domain/image.ts";
import type { FieldColumn, FieldType, Layout, TableRole } from "../src/domain/layout.ts";
import {
  anyField,
  filtersOn,
  integers,
  json,
  numbers,
  object,
  scalars,
  texts,
  type Field,
} from "./arbitrary-filters.ts";

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await testDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  // To show that the session's zone does not matter.
  await client.query("SET TimeZone = 'Asia/Kathmandu'");
}, 60_000);
afterAll(async () => {
  await client?.end();
  await database?.[Symbol.asyncDispose]();
});

/** Positions of the rows that each filter lets pass, all by one statement. */
async function passing(filters: readonly Filter[], layout: Layout): Promise<number[][]> {
  const { values, parameter } = startStatement();
  const columns = filters.map(
    (filter) =>
      `ARRAY(SELECT v.id FROM v_vectors v WHERE ${filterCondition(filter, layout, parameter)} ORDER BY 1)`,
  );
  const { rows } = await client.query<number[][]>({
    text: `SELECT ${columns.join(", ")}`,
    values,
    rowMode: "array",
  });
  return rows[0] as number[][];
}

const expected = (filter: Filter, documents: readonly JsonObject[]): number[] =>
  documents.flatMap((document, i) => (evaluateFilter(filter, document) ? [i] : []));

async function countOf({ text, values }: Statement): Promise<number> {
  const { rows } = await client.query<{ count: string }>(text, values);
  return Number(rows[0]?.count);
}

const table = (name: string): { schema: string; name: string } => ({ schema: "public", name });
const viaItems: NonNullable<Layout["items"]> = {
  table: table("v_items"),
  column: "id",
  on: "id",
  complete: false,
};
const shape: Pick<Layout, "vectors" | "key" | "vector" | "document" | "updatedAt"> = {
  vectors: table("v_vectors"),
  key: { column: "id", type: "integer" },
  vector: { column: "embedding", storage: "json" },
  document: undefined,
  updatedAt: undefined,
};

describe("metadata in a table of its own, with rows for those that have any", () => {
  const layout: Layout = {
    ...shape,
    items: viaItems,
    fields: { kind: "json", of: "items", column: "metadata" },
  };

  beforeAll(async () => {
    await client.query("DROP TABLE IF EXISTS v_vectors, v_items");
    await client.query("CREATE TABLE v_vectors (id int PRIMARY KEY)");
    await client.query("CREATE TABLE v_items (id int PRIMARY KEY, metadata jsonb NOT NULL)");
    await client.query("CREATE INDEX ON v_items USING gin (metadata jsonb_path_ops)");
  });

  async function store(documents: readonly JsonObject[]): Promise<void> {
    await client.query("TRUNCATE v_vectors, v_items");
    await client.query("INSERT INTO v_vectors SELECT generate_series(0, $1::int - 1)", [documents.length]);
    const rows = documents.flatMap((document, id) =>
      Object.keys(document).length > 0 ? [{ id, metadata: document }] : [],
    );
    await client.query(
      "INSERT INTO v_items SELECT id, metadata FROM jsonb_to_recordset($1) AS (id int, metadata jsonb)",
      [JSON.stringify(rows)],
    );
  }
  const documents = fc.array(object, { minLength: 1, maxLength: 30 });
  const anyFilter = filtersOn([anyField]);

  test("means what the evaluator says, by any plan", async () => {
    const property = fc.asyncProperty(
      documents,
      fc.array(anyFilter, { minLength: 1, maxLength: 25 }),
      fc.boolean(),
      async (stored, asked, byIndex) => {
        await store(stored);
        await client.query(`SET enable_seqscan = ${byIndex ? "off" : "on"}`);
        expect(await passing(asked, layout)).toEqual(asked.map((filter) => expected(filter, stored)));
      },
    );
    await fc.assert(property, { numRuns: 200 });
    await client.query("RESET enable_seqscan");
  }, 60_000);

  test("counts what passes, up to the bound", async () => {
    const property = fc.asyncProperty(
      documents,
      anyFilter,
      fc.integer({ min: 1, max: 30 }),
      async (stored, filter, bound) => {
        await store(stored);
        const matching = expected(filter, stored).length;
        expect(await countOf(countStatement(filter, layout, bound))).toBe(Math.min(matching, bound));
      },
    );
    await fc.assert(property, { numRuns: 100 });
  }, 60_000);

  test("groups by texts, numbers and booleans", async () => {
    const scalarAt = (document: JsonObject, path: readonly string[]): JsonValue => {
      const found = path.reduce<JsonValue | undefined>(
        (at, name) =>
          typeof at === "object" && at !== null && !Array.isArray(at) && Object.hasOwn(at, name)
            ? at[name]
            : undefined,
        document,
      );
      // JSON has no negative zero.
      return typeof found === "object" || found === undefined ? null : found === 0 ? 0 : found;
    };
    const property = fc.asyncProperty(documents, anyField.path, async (stored, path) => {
      await store(stored);
      const { values, parameter } = startStatement();
      const { sql, of } = groupExpression(path, layout, parameter);
      expect(of).toBe("items");
      const { rows } = await client.query<{ value: JsonValue }>(
        `SELECT ${sql} AS value FROM v_vectors v ${itemsJoinSql(layout)} ORDER BY v.id`,
        values,
      );
      expect(rows.map(({ value }) => value)).toEqual(stored.map((document) => scalarAt(document, path)));
    });
    await fc.assert(property, { numRuns: 100 });
  }, 60_000);

  test("lets the index on metadata begin", async () => {
    await store(Array.from({ length: 20_000 }, (_, i) => ({ tag: { name: `t${i}` } })));
    await client.query("VACUUM ANALYZE v_vectors, v_items");
    const planOf = async ({ text, values }: Statement): Promise<string> => {
      const { rows } = await client.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, values);
      return rows.map((row) => row["QUERY PLAN"]).join("\n");
    };
    const path = ["tag", "name"];
    for (const filter of [
      { kind: "eq", path, value: "t7" },
      { kind: "in", path, values: ["t7", "t8", "t9"] },
    ] satisfies Filter[]) {
      const { values, parameter } = startStatement();
      const where = filterCondition(filter, layout, parameter);
      expect(await planOf({ text: `SELECT v.id FROM v_vectors v WHERE ${where}`, values })).toContain(
        "Bitmap Index Scan on v_items_metadata_idx",
      );
      const count = countStatement(filter, layout, 1000);
      expect(await planOf(count)).toContain("Bitmap Index Scan on v_items_metadata_idx");
      expect(count.text).not.toContain("v_vectors");
      expect(await countOf(count)).toBe(filter.kind === "eq" ? 1 : 3);
    }
  });

  test("tells integers apart that are one double", async () => {
    await client.query("TRUNCATE v_vectors, v_items");
    await client.query("INSERT INTO v_vectors VALUES (0), (1)");
    await client.query(
      `INSERT INTO v_items VALUES (0, '{"n": 9007199254740992}'), (1, '{"n": 9007199254740993}')`,
    );
    const path = ["n"];
    const exact = 2n ** 53n + 1n;
    const filters: Filter[] = [
      { kind: "eq", path, value: exact },
      { kind: "in", path, values: [exact] },
      { kind: "range", path, lower: undefined, upper: { value: exact, inclusive: false } },
    ];
    expect(await passing(filters, layout)).toEqual([[1], [1], [0]]);
  });
});

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

describe("columns", () => {
  const quoted = NAMES.map((name) => pg.escapeIdentifier(name));
  const definitions = NAMES.map((name, i) => `${quoted[i]} ${COLUMNS[name]?.sql}`).join(", ");

  beforeAll(async () => {
    await client.query("DROP TABLE IF EXISTS v_vectors, v_items");
    await client.query(`CREATE TABLE v_vectors (id int PRIMARY KEY, ${definitions})`);
    await client.query(`CREATE TABLE v_items (id int PRIMARY KEY, ${definitions})`);
  });

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
    await client.query("TRUNCATE v_vectors, v_items");
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
        await client.query(`INSERT INTO ${target} VALUES ${tuples.join(", ")}`, statement.values);
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
        expect(await passing(asked, layout)).toEqual(wanted);
        const counted = countStatement(asked[0] as Filter, layout, 5);
        expect(await countOf(counted)).toBe(Math.min(5, wanted[0]?.length as number));
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
      expect(await passing(filters, layout)).toEqual([[1], [1], [1], [], [0, 1], [0, 1], []]);
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
      expect(await passing(filters, layout)).toEqual([[0], [], [0], [], [0], []]);
    });

    test("UUIDs in capitals", async () => {
      await rowsWith("u", [UUIDS[2] as string]);
      const filter: Filter = { kind: "eq", path: ["u"], value: (UUIDS[2] as string).toUpperCase() };
      expect(await passing([filter], layout)).toEqual([[0]]);
    });
  });

  test("are served by their own indexes", async () => {
    await client.query(`
      CREATE TEMP TABLE indexed (id int PRIMARY KEY, name varchar(50), size int, at timestamptz, tags varchar(9)[])`);
    await client.query(`
      INSERT INTO indexed
      SELECT i, 'n' || i, i, '2026-01-01Z'::timestamptz + i * interval '1 s', ARRAY['t' || i]::varchar[]
        FROM generate_series(1, 5000) i`);
    for (const column of ["name", "size", "at"]) await client.query(`CREATE INDEX ON indexed (${column})`);
    await client.query("CREATE INDEX ON indexed USING gin (tags)");
    await client.query("ANALYZE indexed");
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
      const { rows: plan } = await client.query<{ "QUERY PLAN": string }>(
        `EXPLAIN SELECT id FROM indexed v WHERE ${where}`,
        values,
      );
      expect(plan.map((row) => row["QUERY PLAN"]).join("\n")).toContain(`indexed_${column}_idx`);
    }
  });
});
