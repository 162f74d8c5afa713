import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { createParquetFile, openParquetFile, type ParquetColumn, type ParquetType } from "@kindred/parquet";
import fc from "fast-check";
import { parquetMetadata } from "hyparquet";
import { readRows, testFolder, writeRows } from "./files.ts";

const text = fc.string({ unit: "binary", maxLength: 30 });
const json = fc.jsonValue({ maxDepth: 2 }).filter((value) => value !== null && !hasMinusZero(value));
const arbitraries: Record<ParquetType, fc.Arbitrary<unknown>> = {
  int32: fc.integer(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  double: fc.double(),
  boolean: fc.boolean(),
  string: text,
  bytes: fc.uint8Array({ maxLength: 20 }),
  timestamp: fc.date({ noInvalidDate: true }),
  json,
  strings: fc.array(text, { maxLength: 4 }),
  float32s: fc.float32Array({ maxLength: 6 }),
};
const types = Object.keys(arbitraries) as ParquetType[];
const columns: ParquetColumn[] = types.flatMap((type) => [
  { name: type, type, nullable: false },
  { name: `${type}?`, type, nullable: true },
]);

/** JSON has no minus zero. */
function hasMinusZero(value: unknown): boolean {
  if (Object.is(value, -0)) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(hasMinusZero);
}

const row = fc.record(
  Object.fromEntries(
    columns.map(({ name, type, nullable }) => [
      name,
      nullable ? fc.option(arbitraries[type], { nil: null }) : arbitraries[type],
    ]),
  ),
);

test("what is written is read, whatever the values, the batches and the row groups", async () => {
  await using folder = await testFolder();
  const path = folder.file("any.parquet");
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.nat({ max: 50 }),
      async (rows, batch, rowGroupRows, firstRow) => {
        const data = Object.fromEntries(columns.map(({ name }) => [name, rows.map((value) => value[name])]));
        const written = await writeRows(path, columns, data, { batch, rowGroupRows });
        expect(written).toMatchObject({
          rows: rows.length,
          rowGroups: Math.max(1, Math.ceil(rows.length / rowGroupRows)),
        });
        expect(await readRows(path)).toEqual(data);
        const rest = Object.fromEntries(
          Object.entries(data).map(([name, all]) => [name, all.slice(firstRow)]),
        );
        expect(await readRows(path, { firstRow })).toEqual(rest);
      },
    ),
    { numRuns: 40 },
  );
}, 120_000);

describe("many pages in a row group", () => {
  const rows = 1500;
  const data = {
    id: Array.from({ length: rows }, (_, i) => BigInt(i)),
    // Of more than a kilobyte: two pages; every third is missing.
    words: Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? null : `${i} ${"ä".repeat(700)}`)),
    // The same few over and over: a dictionary.
    artist: Array.from({ length: rows }, (_, i) =>
      i % 7 === 0 ? null : `artist ${i % 10} ${"x".repeat(900)}`,
    ),
    vector: Array.from({ length: rows }, (_, i) =>
      i % 5 === 0 ? null : Float32Array.from({ length: 384 }, (_item, k) => i + k / 512),
    ),
    tags: Array.from({ length: rows }, (_, i) =>
      Array.from({ length: i % 3 }, (_item, k) => `${i}/${k}`.repeat(100)),
    ),
  };
  const described: ParquetColumn[] = [
    { name: "id", type: "int64", nullable: false },
    { name: "words", type: "string", nullable: true },
    { name: "artist", type: "string", nullable: true },
    { name: "vector", type: "float32s", nullable: true },
    { name: "tags", type: "strings", nullable: false },
  ];

  test("are put together, from any row on", async () => {
    await using folder = await testFolder();
    const path = folder.file("pages.parquet");
    expect(await writeRows(path, described, data, { batch: 700 })).toMatchObject({ rows, rowGroups: 1 });
    for (const firstRow of [0, 749, 1499]) {
      const rest = Object.fromEntries(Object.entries(data).map(([name, all]) => [name, all.slice(firstRow)]));
      // Jest's own comparison takes seconds for half a million numbers.
      expect(isDeepStrictEqual(await readRows(path, { firstRow }), rest)).toBe(true);
    }
  });

  test("are read at different speeds side by side", async () => {
    await using folder = await testFolder();
    const path = folder.file("pages.parquet");
    await writeRows(path, described, data);
    await using reader = await openParquetFile(path);
    const one = reader.batches({ columns: ["id"] });
    const other = reader.batches({ columns: ["tags", "id"], firstRow: 10 });
    const first = await one.next();
    const second = await other.next();
    expect(first.value?.columns["id"]?.[0]).toBe(0n);
    expect(second.value?.columns["id"]?.[0]).toBe(10n);
    await one.return(undefined);
    await other.return(undefined);
  });
});

test("a row group ends at its rows or its bytes, whichever comes first", async () => {
  await using folder = await testFolder();
  const path = folder.file("groups.parquet");
  const column: ParquetColumn = { name: "s", type: "string", nullable: false };
  const s = Array.from({ length: 100 }, () => "x".repeat(96));
  const groups = async (options: { rowGroupRows?: number; rowGroupBytes?: number }): Promise<number[]> => {
    await writeRows(path, [column], { s }, { batch: 33, ...options });
    await using reader = await openParquetFile(path);
    return reader.rowGroups.map((group) => group.rows);
  };
  expect(await groups({ rowGroupRows: 40 })).toEqual([40, 40, 20]);
  // A text counts with the four bytes of its length.
  expect(await groups({ rowGroupBytes: 2500 })).toEqual([25, 25, 25, 25]);
  expect(await groups({ rowGroupRows: 30, rowGroupBytes: 2500 })).toEqual([25, 25, 25, 25]);
  expect(await groups({ rowGroupBytes: 1 })).toHaveLength(100);
});

test("batches have many rows where rows are small, and few where they are large", async () => {
  await using folder = await testFolder();
  const path = folder.file("large.parquet");
  const column: ParquetColumn = { name: "s", type: "string", nullable: true };
  const sizes = async (s: string[]): Promise<number[]> => {
    await writeRows(path, [column], { s }, { rowGroupBytes: 2 ** 30 });
    await using reader = await openParquetFile(path);
    return await Array.fromAsync(reader.batches(), ({ rows }) => rows);
  };
  expect(await sizes(Array.from({ length: 2000 }, (_, i) => `${i}`))).toEqual([2000]);
  const large = await sizes(Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(1_500_000, "x")));
  expect(large.reduce((sum, rows) => sum + rows, 0)).toBe(12);
  expect(Math.max(...large)).toBeLessThan(5);
});

test("texts of the footer come back, and none are none", async () => {
  await using folder = await testFolder();
  const path = folder.file("texts.parquet");
  const column: ParquetColumn = { name: "id", type: "int64", nullable: false };
  const metadata = { query: "SELECT ä", empty: "" };
  await writeRows(path, [column], { id: [1n] }, { metadata });
  await using reader = await openParquetFile(path);
  expect(reader.metadata).toEqual(metadata);
  await writeRows(path, [column], { id: [] });
  await using none = await openParquetFile(path);
  expect([none.rows, none.rowGroups, none.metadata]).toEqual([0, [{ firstRow: 0, rows: 0 }], {}]);
});

test("no list of the footer is empty, at which readers in Rust stop", async () => {
  await using folder = await testFolder();
  const path = folder.file("empty.parquet");
  for (const ids of [[], [1n]]) {
    await writeRows(path, [{ name: "id", type: "int64", nullable: false }], { id: ids });
    const footer = parquetMetadata(await readFile(path));
    const lists = Object.values(footer).filter((value) => Array.isArray(value));
    expect(lists.map(({ length }) => length)).not.toContain(0);
    expect(footer.row_groups[0]?.columns).toHaveLength(1);
  }
});

test("what is appended is copied", async () => {
  await using folder = await testFolder();
  const path = folder.file("copy.parquet");
  await using writer = await createParquetFile(path, {
    columns: [
      { name: "v", type: "float32s", nullable: false },
      { name: "b", type: "bytes", nullable: false },
      { name: "t", type: "strings", nullable: false },
    ],
  });
  const [v, b, t] = [Float32Array.of(1, 2), Uint8Array.of(1, 2), ["a"]];
  await writer.append({ rows: 1, columns: { v: [v], b: [b], t: [t] } });
  v.fill(9);
  b.fill(9);
  t[0] = "z";
  await writer.finish();
  expect(await readRows(path)).toEqual({ v: [Float32Array.of(1, 2)], b: [Uint8Array.of(1, 2)], t: [["a"]] });
});
