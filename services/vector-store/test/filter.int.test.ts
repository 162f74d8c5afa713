import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  countStatement,
  filterCondition,
  groupExpression,
} from "../src/adapters/postgres/filter-condition.ts";
import { itemsJoinSql, startStatement, type Statement } from "../src/adapters/postgres/sql.ts";
import type { Filter } from "../src/domain/filter.ts";
import type { JsonObject, JsonValue } from "../src/domain/image.ts";
import type { Layout } from "../src/domain/layout.ts";
import { anyField, filtersOn, object } from "./arbitrary-filters.ts";
import { expected, openTables, shape, viaItems, type FilteredTables } from "./filtered-tables.ts";

let tables: FilteredTables;

beforeAll(async () => {
  tables = await openTables({ vectors: "", items: ", metadata jsonb NOT NULL" });
  await tables.client.query("CREATE INDEX ON v_items USING gin (metadata jsonb_path_ops)");
}, 60_000);
afterAll(async () => {
  await tables?.[Symbol.asyncDispose]();
});

describe("metadata in a table of its own, with rows for those that have any", () => {
  const layout: Layout = {
    ...shape,
    items: viaItems,
    fields: { kind: "json", of: "items", column: "metadata" },
  };

  async function store(documents: readonly JsonObject[]): Promise<void> {
    await tables.client.query("TRUNCATE v_vectors, v_items");
    await tables.client.query("INSERT INTO v_vectors SELECT generate_series(0, $1::int - 1)", [
      documents.length,
    ]);
    const rows = documents.flatMap((document, id) =>
      Object.keys(document).length > 0 ? [{ id, metadata: document }] : [],
    );
    await tables.client.query(
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
        await tables.client.query(`SET enable_seqscan = ${byIndex ? "off" : "on"}`);
        expect(await tables.passing(asked, layout)).toEqual(asked.map((filter) => expected(filter, stored)));
      },
    );
    await fc.assert(property, { numRuns: 200 });
    await tables.client.query("RESET enable_seqscan");
  }, 60_000);

  test("counts what passes, up to the bound", async () => {
    const property = fc.asyncProperty(
      documents,
      anyFilter,
      fc.integer({ min: 1, max: 30 }),
      async (stored, filter, bound) => {
        await store(stored);
        const matching = expected(filter, stored).length;
        expect(await tables.countOf(countStatement(filter, layout, bound))).toBe(Math.min(matching, bound));
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
      const { rows } = await tables.client.query<{ value: JsonValue }>(
        `SELECT ${sql} AS value FROM v_vectors v ${itemsJoinSql(layout)} ORDER BY v.id`,
        values,
      );
      expect(rows.map(({ value }) => value)).toEqual(stored.map((document) => scalarAt(document, path)));
    });
    await fc.assert(property, { numRuns: 100 });
  }, 60_000);

  test("lets the index on metadata begin", async () => {
    await store(Array.from({ length: 20_000 }, (_, i) => ({ tag: { name: `t${i}` } })));
    await tables.client.query("VACUUM ANALYZE v_vectors, v_items");
    const planOf = async ({ text, values }: Statement): Promise<string> => {
      const { rows } = await tables.client.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, values);
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
      expect(await tables.countOf(count)).toBe(filter.kind === "eq" ? 1 : 3);
    }
  });

  test("tells integers apart that are one double", async () => {
    await tables.client.query("TRUNCATE v_vectors, v_items");
    await tables.client.query("INSERT INTO v_vectors VALUES (0), (1)");
    await tables.client.query(
      `INSERT INTO v_items VALUES (0, '{"n": 9007199254740992}'), (1, '{"n": 9007199254740993}')`,
    );
    const path = ["n"];
    const exact = 2n ** 53n + 1n;
    const filters: Filter[] = [
      { kind: "eq", path, value: exact },
      { kind: "in", path, values: [exact] },
      { kind: "range", path, lower: undefined, upper: { value: exact, inclusive: false } },
    ];
    expect(await tables.passing(filters, layout)).toEqual([[1], [1], [0]]);
  });
});
