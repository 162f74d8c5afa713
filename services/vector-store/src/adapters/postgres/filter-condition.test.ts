import { describe, expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import type { Filter, Scalar } from "../../domain/filter.ts";
import { imagesLayout, managedLayout, type Layout } from "../../domain/layout.ts";
import { countStatement, filterCondition, groupExpression } from "./filter-condition.ts";
import { startStatement } from "./sql.ts";

// What the conditions mean is tested on a real server; here, what is asked of it.

const managed = managedLayout("s", 7, 1, "vector");
const images = imagesLayout("s", "vector");

const eq = (value: Scalar, ...path: string[]): Filter => ({ kind: "eq", path, value });
const not = (filter: Filter): Filter => ({ kind: "not", filter });
const all = (...filters: Filter[]): Filter => ({ kind: "and", filters });
const any = (...filters: Filter[]): Filter => ({ kind: "or", filters });

function compiled(filter: Filter, layout: Layout): { sql: string; values: unknown[] } {
  const { values, parameter } = startStatement();
  return { sql: filterCondition(filter, layout, parameter), values };
}

const METADATA = `SELECT 1 FROM "s"."collection_7_items" i WHERE i."key" = v."key"`;

describe("metadata that not every item has", () => {
  test("is asked for once, by containment", () => {
    expect(compiled(all(eq("x", "a", "b"), any(eq(1n, "n"), eq(true, "t"))), managed)).toEqual({
      sql: `EXISTS (${METADATA} AND (i."metadata" @> $1::jsonb AND (i."metadata" @> $2::jsonb OR i."metadata" @> $3::jsonb)))`,
      values: ['{"a":{"b":"x"}}', '{"n":1}', '{"t":true}'],
    });
  });

  test("is asked for what speaks against it where items without metadata pass", () => {
    expect(compiled(not(eq("x", "a")), managed).sql).toBe(
      `NOT EXISTS (${METADATA} AND i."metadata" @> $1::jsonb)`,
    );
    expect(compiled(any(not(eq("x", "a")), eq("y", "b")), managed).sql).toBe(
      `NOT EXISTS (${METADATA} AND NOT COALESCE((NOT COALESCE(i."metadata" @> $1::jsonb, false) OR i."metadata" @> $2::jsonb), false))`,
    );
  });

  test("is not needed for what always holds, or never", () => {
    expect(compiled(all(), managed).sql).toBe("true");
    expect(compiled(not(any()), managed).sql).toBe("NOT COALESCE(false, false)");
  });
});

test("conditions on one table each come together, and every image has its row", () => {
  const filter = all(
    eq("text", "embedding_type"),
    eq(640, "width"),
    all(not(eq("png", "format")), eq("coco", "source_dataset")),
  );
  expect(compiled(filter, images).sql).toBe(
    `(v."embedding_type" = $1::text AND EXISTS (SELECT 1 FROM "s"."images" i WHERE i."id" = v."image_id" AND ` +
      `(i."width" = $2::bigint AND NOT COALESCE(i."format" = $3::text, false) AND i."source_dataset" = $4::text)))`,
  );
  expect(compiled(any(eq("text", "embedding_type"), eq(640, "width")), images).sql).toBe(
    `EXISTS (SELECT 1 FROM "s"."images" i WHERE i."id" = v."image_id" AND (v."embedding_type" = $1::text OR i."width" = $2::bigint))`,
  );
});

test("conditions on both tables stay apart where a row may be missing", () => {
  const { items } = images;
  if (!items) throw new Error("images are a table of their own");
  const sparse: Layout = { ...images, items: { ...items, complete: false } };
  const row = `SELECT 1 FROM "s"."images" i WHERE i."id" = v."image_id"`;
  expect(compiled(not(any(eq("text", "embedding_type"), eq(640, "width"))), sparse).sql).toBe(
    `NOT COALESCE((v."embedding_type" = $1::text OR EXISTS (${row} AND i."width" = $2::bigint)), false)`,
  );
});

test("texts are ordered by code points, whatever the database's collation", () => {
  const above = (name: string): Filter => ({
    kind: "range",
    path: [name],
    lower: { value: "b", inclusive: false },
    upper: undefined,
  });
  expect(compiled(above("a"), managed).sql).toContain(`#>> '{}') COLLATE "C" > $2::text`);
  expect(compiled(above("model_name"), images).sql).toBe(`v."model_name" COLLATE "C" > $1::text`);
});

test("nothing of a caller's is in the statement's text", () => {
  const evil = `'"); DROP TABLE x; --`;
  const filters: Filter[] = [
    eq(evil, evil, evil),
    { kind: "in", path: [evil], values: Array.from({ length: 20 }, () => evil) },
    {
      kind: "range",
      path: [evil],
      lower: { value: evil, inclusive: true },
      upper: { value: "z", inclusive: false },
    },
    { kind: "exists", path: [evil] },
    { kind: "contains", path: [evil], value: evil },
    { kind: "prefix", path: [evil], prefix: evil },
  ];
  for (const filter of filters) expect(compiled(filter, managed).sql).not.toContain("DROP");
});

describe("columns", () => {
  const bare = (filter: Filter): string => compiled(filter, images).sql;

  test.each<[string, Filter]>([
    ["a text", eq("1", "image_id")],
    ["a fraction", eq(1.5, "image_id")],
    ["a number", eq(1, "model_name")],
    ["a boolean", { kind: "in", path: ["created_at"], values: [true, 5] }],
    ["a member of a text", eq("x", "model_name", "x")],
    ["an element of a text", { kind: "contains", path: ["model_name"], value: "x" }],
    ["a prefix of a time", { kind: "prefix", path: ["created_at"], prefix: "2026" }],
    [
      "texts below an integer",
      {
        kind: "range",
        path: ["image_id"],
        lower: { value: 1, inclusive: true },
        upper: { value: "x", inclusive: true },
      },
    ],
  ])("cannot have %s of another type", (_, filter) => {
    expect(bare(filter)).toBe("false");
  });

  test("are listed where one is asked for that is not there", () => {
    const problem = (work: () => unknown): unknown => {
      try {
        return work();
      } catch (error) {
        return isKindredError(error) ? { kind: error.kind, message: error.message } : error;
      }
    };
    const known = images.fields.kind === "columns" ? [...images.fields.columns.keys()].join(", ") : "";
    const { parameter } = startStatement();
    expect(problem(() => bare(not(eq(1, "widht"))))).toEqual({
      kind: "invalid-argument",
      message: `where names the column "widht", which is not there: there are ${known}`,
    });
    const widths = { kind: "and", filters: [eq(1, "width"), eq(1, "widht")] } as const;
    expect(problem(() => filterCondition(widths, images, parameter, "filter"))).toMatchObject({
      message: expect.stringMatching(/^filter names the column "widht"/),
    });
    expect(problem(() => filterCondition(eq("x", "created_at"), images, parameter, "filter"))).toMatchObject({
      message: expect.stringMatching(/^filter compares the column "created_at" with "x"/),
    });
    expect(problem(() => groupExpression(["x"], images, parameter))).toEqual({
      kind: "invalid-argument",
      message: `group_by.field names the column "x", which is not there: there are ${known}`,
    });
  });

  test.each([
    "yesterday",
    "2026-01-31",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T12:00:00",
    "2026-01-31T12:00:00+16:00",
    "0000-01-01T00:00:00Z",
    "2026-01-31T12:00:00Z; SELECT 1",
    "infinity",
  ])("of times are not compared with %j", (value) => {
    expect(() => bare(eq(value, "created_at"))).toThrow(
      `where compares the column "created_at" with ${JSON.stringify(value)}, which is no time as RFC 3339 writes it`,
    );
  });
});

describe("counting", () => {
  test("looks at the metadata alone where that is enough", () => {
    expect(countStatement(eq("x", "a"), managed, 50)).toEqual({
      text: expect.stringContaining(
        `FROM (SELECT 1 FROM "s"."collection_7_items" i WHERE i."metadata" @> $1::jsonb LIMIT $2)`,
      ),
      values: ['{"a":"x"}', 50],
    });
  });

  test("looks at vectors where items without metadata pass, and where an image has several", () => {
    expect(countStatement(not(eq("x", "a")), managed, 50).text).toContain(
      `"s"."collection_7_vectors" v WHERE NOT`,
    );
    expect(countStatement(eq(640, "width"), images, 50).text).toContain(`"s"."embeddings" v WHERE EXISTS`);
  });
});

describe("grouping", () => {
  const grouped = (path: string[], layout: Layout): { sql: string; of: string } =>
    groupExpression(path, layout, startStatement().parameter);

  test("is by a member of the metadata, or by a column", () => {
    const member = `i."metadata" -> $1::text`;
    expect(grouped(["a"], managed)).toEqual({
      sql: `CASE WHEN jsonb_typeof(${member}) IN ('string', 'number', 'boolean') THEN ${member} END`,
      of: "items",
    });
    expect(grouped(["image_id"], images)).toEqual({ sql: `to_jsonb(v."image_id")`, of: "vectors" });
  });

  test("of a list, or of a member that a column cannot have, is by nothing", () => {
    expect(grouped(["tags"], images)).toEqual({ sql: "NULL::jsonb", of: "items" });
    expect(grouped(["width", "x"], images)).toEqual({ sql: "NULL::jsonb", of: "items" });
  });
});
