import { readFile, truncate, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import { openParquetFile, type ParquetColumn } from "@kindred/parquet";
import { readRows, testFolder, writeRows } from "./files.ts";

/** Hundreds of files are written and read, on a machine that may be busy. */
const PATIENCE_MS = 180_000;

const columns: ParquetColumn[] = [
  { name: "id", type: "int64", nullable: false },
  { name: "name", type: "string", nullable: true },
  { name: "artist", type: "string", nullable: false },
  { name: "tags", type: "strings", nullable: true },
  { name: "vector", type: "float32s", nullable: false },
];
const data = {
  id: Array.from({ length: 8 }, (_, i) => BigInt(i)),
  name: Array.from({ length: 8 }, (_, i) => (i % 5 === 0 ? null : `song ${i}`)),
  artist: Array.from({ length: 8 }, (_, i) => `artist number ${i % 3}`),
  tags: Array.from({ length: 8 }, (_, i) =>
    i % 4 === 0 ? null : Array.from({ length: i % 3 }, (_item, k) => `t${k}`),
  ),
  vector: Array.from({ length: 8 }, (_, i) => Float32Array.of(i, 1 / i)),
};

/** What reading ends with: the rows or a KindredError; anything else fails the test. */
async function outcome(path: string): Promise<{ rows: Record<string, unknown[]> } | { kind: string }> {
  try {
    return { rows: await readRows(path) };
  } catch (error) {
    if (!isKindredError(error)) throw error;
    return { kind: error.kind };
  }
}

async function small(path: string, rowGroupRows = 8): Promise<{ bytes: Buffer; footer: number }> {
  await writeRows(path, columns, data, { rowGroupRows });
  const bytes = await readFile(path);
  return { bytes, footer: bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8) };
}

test(
  "a bit that changes among the values is noticed or changes nothing",
  async () => {
    await using folder = await testFolder();
    const path = folder.file("small.parquet");
    const { bytes, footer } = await small(path);
    const damaged = folder.file("damaged.parquet");
    let noticed = 0;
    for (let at = 4; at < footer; at++) {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1 << (at % 8);
      await writeFile(damaged, copy);
      const found = await outcome(damaged);
      if ("kind" in found) {
        expect(["data-loss", "unimplemented"]).toContain(found.kind);
        noticed++;
      } else if (!isDeepStrictEqual(found.rows, data))
        throw new Error(`byte ${at} of ${footer} changes values`);
    }
    expect(noticed).toBeGreaterThan(footer / 2);
  },
  PATIENCE_MS,
);

test(
  "a bit that changes in the footer ends with rows or with an error that says so",
  async () => {
    await using folder = await testFolder();
    const path = folder.file("small.parquet");
    const { bytes, footer } = await small(path);
    const damaged = folder.file("damaged.parquet");
    for (let at = footer; at < bytes.length; at += 3) {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1 << (at % 8);
      await writeFile(damaged, copy);
      const found = await outcome(damaged);
      const kind = "kind" in found ? found.kind : "read";
      expect(["read", "data-loss", "unimplemented", "invalid-argument"]).toContain(kind);
    }
  },
  PATIENCE_MS,
);

test("a file that was cut off is damaged, wherever it ends", async () => {
  await using folder = await testFolder();
  const path = folder.file("small.parquet");
  const { bytes } = await small(path);
  for (let length = bytes.length - 1; length >= 0; length -= 7) {
    await truncate(path, length);
    await expect(openParquetFile(path)).rejects.toMatchObject({
      kind: length < 12 ? "invalid-argument" : "data-loss",
    });
  }
});

test("the column and the row group with the damage are named; the others can be read", async () => {
  await using folder = await testFolder();
  const path = folder.file("small.parquet");
  const { bytes } = await small(path, 4);
  // The last page of the file is that of the vectors of the second group.
  const at = bytes.lastIndexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])) + 12;
  bytes[at]! ^= 4;
  await writeFile(path, bytes);
  await expect(readRows(path)).rejects.toMatchObject({
    kind: "data-loss",
    message: expect.stringMatching(/^column vector of row group 1 of .*small\.parquet is damaged: /),
  });
  expect(await readRows(path, { columns: ["tags"] })).toEqual({ tags: data.tags });
});

test("what is no Parquet file is told from what is damaged", async () => {
  await using folder = await testFolder();
  const path = folder.file("x.parquet");
  const ends = async (): Promise<unknown> => await openParquetFile(path).catch((error: unknown) => error);
  expect(await ends()).toMatchObject({ kind: "not-found", message: expect.stringContaining(path) });
  await writeFile(path, "id,name\n1,two\n");
  expect(await ends()).toMatchObject({ kind: "invalid-argument", message: `${path} is no Parquet file` });
  await writeFile(path, "PARE and so on PARE");
  expect(await ends()).toMatchObject({
    kind: "unimplemented",
    message: expect.stringContaining("encrypted"),
  });
  await writeFile(path, "PAR1 and so on");
  expect(await ends()).toMatchObject({ kind: "data-loss" });
});
