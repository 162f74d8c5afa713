import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { openParquetFile, type ParquetReader } from "@kindred/parquet";

// Files of pyarrow and DuckDB, made by make-fixtures.py; the rows are computed here anew.

const ROWS = 300;
const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}.parquet`, import.meta.url));
const each = <T>(make: (i: number) => T, every?: number): (T | null)[] =>
  Array.from({ length: ROWS }, (_, i) => (every !== undefined && i % every === 0 ? null : make(i)));

const songs: Record<string, unknown[]> = {
  id: each((i) => BigInt(10_000_000_000 + i)),
  title: each((i) => `Lied ${i} 🎵`, 7),
  artist: each((i) => `Artist ${i % 5}`),
  tags: each((i) => Array.from({ length: i % 4 }, (_, k) => `t${i % 3}-${k}`), 5),
  vector: each((i) => Float32Array.from({ length: i % 3 }, (_, k) => i + k / 4), 11),
};

async function read(
  reader: ParquetReader,
  options: Parameters<ParquetReader["batches"]>[0] = {},
): Promise<Record<string, unknown[]>> {
  const all: Record<string, unknown[]> = {};
  for (const name of options.columns ?? reader.columns.map((column) => column.name)) all[name] = [];
  for await (const { rows, columns } of reader.batches(options)) {
    for (const [name, values] of Object.entries(columns)) {
      expect(values).toHaveLength(rows);
      all[name]?.push(...Array.from(values));
    }
  }
  return all;
}

const laidOut = [
  "snappy-dictionary",
  "zstd-plain-v2",
  "gzip-checksums",
  "brotli",
  "uncompressed-delta",
  "duckdb-snappy",
  "duckdb-zstd",
];

describe.each(laidOut)("%s", (name) => {
  test("has the rows that were written", async () => {
    await using reader = await openParquetFile(fixture(name));
    expect(reader.rows).toBe(ROWS);
    expect(reader.columns.map(({ name: column, type }) => [column, type])).toEqual([
      ["id", "int64"],
      ["title", "string"],
      ["artist", "string"],
      ["tags", "strings"],
      ["vector", "float32s"],
    ]);
    expect(reader.unreadable).toEqual([]);
    expect(await read(reader)).toEqual(songs);
  });

  test("can be read from any row on, and some of its columns", async () => {
    await using reader = await openParquetFile(fixture(name));
    for (const firstRow of [1, 16, 100, 169, 170, 171, 299, 300, 1000]) {
      const found = await read(reader, { firstRow, columns: ["vector", "title", "tags"] });
      expect(found).toEqual({
        vector: songs["vector"]?.slice(firstRow),
        title: songs["title"]?.slice(firstRow),
        tags: songs["tags"]?.slice(firstRow),
      });
    }
  });
});

test("row groups, nullability and texts of the footer are told", async () => {
  await using reader = await openParquetFile(fixture("snappy-dictionary"));
  expect(reader.rowGroups).toEqual([
    { firstRow: 0, rows: 170 },
    { firstRow: 170, rows: 130 },
  ]);
  expect(reader.columns.filter(({ nullable }) => !nullable).map(({ name }) => name)).toEqual([
    "id",
    "artist",
  ]);
  expect(reader.metadata).toMatchObject({ made: "here" });
});

test("values of other types become those of the nearest type", async () => {
  await using reader = await openParquetFile(fixture("types"));
  const found = await read(reader);
  const day = (i: number): Date => new Date(Date.UTC(1969, 11, 1) + i * 86_400_000);
  expect(found).toEqual({
    int8: each((i) => (i % 100) - 50),
    uint16: each((i) => i * 200),
    uint32: each((i) => 4_000_000_000n + BigInt(i), 9),
    uint64: each((i) => 2n ** 62n + BigInt(i)),
    float16: each((i) => i / 8),
    float: each((i) => i / 8, 4),
    decimal: each((i) => i / 4),
    day: each(day),
    micros: each((i) => new Date(Math.floor((1500 * (i - 150)) / 1000))),
    nanos: each((i) => new Date(i - 150)),
    boolean: each((i) => i % 3 === 0, 13),
    bytes: each((i) => Uint8Array.of(i % 256, 255)),
    fixed: each((i) => Uint8Array.of(i % 256, 1, 2)),
    uuid: each((i) => `00000000-0000-0000-0000-${i.toString(16).padStart(12, "0")}`),
    json: each((i) => ({ i }), 6),
    doubles: each((i) => Float32Array.of(i / 4, 0.1)),
    fixed_vector: each((i) => Float32Array.of(i, -1 - i)),
    category: each((i) => `c${i % 3}`),
  });
});

test("columns that there is no type for are named, and asking for one says what it is", async () => {
  await using reader = await openParquetFile(fixture("types"));
  expect(reader.unreadable).toEqual([
    { name: "struct", why: "a struct" },
    { name: "map", why: "a map of more than one value" },
    { name: "numbers", why: "a list of int32" },
    { name: "big", why: "a decimal of 30 digits" },
  ]);
  await expect(read(reader, { columns: ["struct"] })).rejects.toMatchObject({
    kind: "invalid-argument",
    message: "columns must be readable; struct is a struct",
  });
  await expect(read(reader, { columns: ["none"] })).rejects.toMatchObject({
    kind: "invalid-argument",
    message: expect.stringMatching(/^columns must be of .*types\.parquet, which has int8, .*, is none$/),
  });
});

test("a file without rows has none", async () => {
  await using reader = await openParquetFile(fixture("empty"));
  expect(reader.rows).toBe(0);
  expect(await read(reader)).toEqual({ id: [], title: [], artist: [], tags: [], vector: [] });
});

test("what cannot be read is refused by name", async () => {
  await using lz4 = await openParquetFile(fixture("lz4"));
  await expect(read(lz4)).rejects.toMatchObject({
    kind: "unimplemented",
    message: expect.stringMatching(/column id of row group 0 .* is compressed by LZ4_RAW, .*ZSTD/),
  });
  await using missing = await openParquetFile(fixture("missing-element"));
  await expect(read(missing)).rejects.toMatchObject({
    kind: "unimplemented",
    message: expect.stringMatching(
      /column tags of row group 0 .*: lists that lack an element cannot be read/,
    ),
  });
});
