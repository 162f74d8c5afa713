import { once } from "node:events";
import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { createParquetFile, type ParquetColumn, type ParquetType } from "@kindred/parquet";
import { readRows, testFolder, writeRows } from "./files.ts";

const id: ParquetColumn = { name: "id", type: "int64", nullable: false };

describe("the file", () => {
  test("has its name when it is complete, and not before", async () => {
    await using folder = await testFolder();
    const path = folder.file("songs.parquet");
    await writeFile(path, "what was there");
    await using writer = await createParquetFile(path, { columns: [id], rowGroupRows: 1 });
    await writer.append({ rows: 2, columns: { id: [1n, 2n] } });
    expect(await readFile(path, "utf8")).toBe("what was there");
    const { bytes } = await writer.finish();
    expect(await readRows(path)).toEqual({ id: [1n, 2n] });
    expect(await readFile(path)).toHaveLength(bytes);
    expect(await readdir(folder.path)).toEqual(["songs.parquet"]);
  });

  test("leaves nothing when its writer is disposed of before", async () => {
    await using folder = await testFolder();
    {
      await using writer = await createParquetFile(folder.file("songs.parquet"), { columns: [id] });
      await writer.append({ rows: 1, columns: { id: [1n] } });
    }
    expect(await readdir(folder.path)).toEqual([]);
  });

  test("takes the place of what a killed process left", async () => {
    await using folder = await testFolder();
    const path = folder.file("songs.parquet");
    const script = fileURLToPath(new URL("write-forever-process.ts", import.meta.url));
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await readdir(folder.path)).toEqual(["songs.parquet.partial"]);
    await writeRows(path, [id], { id: [7n] });
    expect(await readdir(folder.path)).toEqual(["songs.parquet"]);
    expect(await readRows(path)).toEqual({ id: [7n] });
  });

  test("is that of the later of two writers; the earlier one is told and removes nothing", async () => {
    await using folder = await testFolder();
    const path = folder.file("songs.parquet");
    await using earlier = await createParquetFile(path, { columns: [id] });
    await using later = await createParquetFile(path, { columns: [id] });
    await earlier.append({ rows: 1, columns: { id: [1n] } });
    await later.append({ rows: 1, columns: { id: [2n] } });
    await expect(earlier.finish()).rejects.toMatchObject({
      kind: "aborted",
      message: expect.stringMatching(/songs\.parquet is being written by somebody else/),
    });
    await earlier[Symbol.asyncDispose]();
    await later.finish();
    expect(await readRows(path)).toEqual({ id: [2n] });
  });

  test("is refused where there is no such folder", async () => {
    await using folder = await testFolder();
    await expect(
      createParquetFile(folder.file("none/songs.parquet"), { columns: [id] }),
    ).rejects.toMatchObject({ kind: "not-found", message: expect.stringMatching(/cannot write .*none/) });
  });

  test("a disk that is full ends with its name and leaves the old file", async () => {
    await using folder = await testFolder();
    const path = folder.file("songs.parquet");
    await writeRows(path, [id], { id: [1n] });
    const script = fileURLToPath(new URL("write-forever-process.ts", import.meta.url));
    // A limit of 256 KiB on the size of files stands in for the disk.
    const child = spawn(
      "bash",
      [
        "-c",
        `ulimit -f 256; exec "$0" --disable-warning=ExperimentalWarning "$@"`,
        process.execPath,
        script,
        path,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const output = await Array.fromAsync(child.stdout, String);
    expect(output.at(-1)).toMatch(
      /^resource-exhausted cannot write .*songs\.parquet: the file would be larger/,
    );
    expect(await readdir(folder.path)).toEqual(["songs.parquet"]);
    expect(await readRows(path)).toEqual({ id: [1n] });
  });
});

describe("bad input", () => {
  const bad: [ParquetType, unknown, string][] = [
    ["int32", 2 ** 31, "must be an integer of 32 bits, is 2147483648"],
    ["int32", 1.5, "must be an integer of 32 bits, is 1.5"],
    ["int64", 1, "must be a bigint of 64 bits, is 1"],
    ["int64", 2n ** 63n, "must be a bigint of 64 bits, is 9223372036854775808n"],
    ["double", "1", 'must be a number, is "1"'],
    ["boolean", 0, "must be true or false, is 0"],
    ["string", 7, "must be a string, is 7"],
    ["string", "a\uD800", 'must be well-formed text, has half a surrogate pair, is "a\\ud800"'],
    ["bytes", "ab", 'must be a Uint8Array, is "ab"'],
    ["timestamp", new Date(NaN), "must be a valid Date, is Date"],
    ["json", () => 1, "must be a JSON value, is () => 1"],
    ["json", { a: 1n }, "must be a JSON value (Do not know how to serialize a BigInt), is Object"],
    ["strings", "ab", 'must be a list of strings, is "ab"'],
    ["strings", ["a", null], "must be a string, is Array"],
    ["float32s", [1, "2"], "must be a list of numbers, is Array"],
    ["string", null, "is missing; the column is not nullable, is null"],
    ["string", undefined, "is missing; the column is not nullable, is undefined"],
  ];

  test.each(bad)("%s: %p", async (type, value, description) => {
    await using folder = await testFolder();
    const good: Record<string, unknown> = { strings: ["x"], float32s: [1], string: "x", json: 1 };
    const path = folder.file("bad.parquet");
    await using writer = await createParquetFile(path, {
      columns: [id, { name: "value", type, nullable: value !== null && value !== undefined }],
    });
    await writer.append({
      rows: 1,
      columns: { id: [0n], value: [type in good ? good[type] : null].map((v) => v ?? null) },
    });
    await expect(
      writer.append({ rows: 2, columns: { id: [1n, 2n], value: [good[type] ?? null, value] } }),
    ).rejects.toMatchObject({ kind: "invalid-argument", message: `value[2] ${description}` });
    // Nothing of the batch was kept, and the writer goes on.
    expect(writer.rows).toBe(1);
    await writer.append({ rows: 1, columns: { id: [5n], value: [good[type] ?? null] } });
    await writer.finish();
    expect(await readRows(path, { columns: ["id"] })).toEqual({ id: [0n, 5n] });
  });

  test("batches that do not have the columns of the file", async () => {
    await using folder = await testFolder();
    await using writer = await createParquetFile(folder.file("bad.parquet"), { columns: [id] });
    const append = (rows: number, columns: Record<string, unknown[]>): Promise<unknown> =>
      writer.append({ rows, columns }).then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(await append(1, {})).toMatchObject({ message: "id is missing in the batch" });
    expect(await append(2, { id: [1n] })).toMatchObject({ message: "id must have 2 values, has 1" });
    expect(await append(1, { id: [1n], name: ["x"] })).toMatchObject({
      message: "name is no column of the file",
    });
    expect(writer.rows).toBe(0);
  });

  test("options, all of them at once", async () => {
    await using folder = await testFolder();
    await expect(
      createParquetFile(folder.file("bad.parquet"), {
        columns: [id, id],
        rowGroupRows: 0,
        rowGroupBytes: 1.5,
      }),
    ).rejects.toMatchObject({
      kind: "invalid-argument",
      message:
        "columns must differ, has id twice; rowGroupRows must be a whole number from 1 on, is 0; rowGroupBytes must be a whole number from 1 on, is 1.5",
    });
    expect(await readdir(folder.path)).toEqual([]);
  });

  test("a finished writer takes nothing more", async () => {
    await using folder = await testFolder();
    await using writer = await createParquetFile(folder.file("songs.parquet"), { columns: [id] });
    await writer.finish();
    await expect(writer.append({ rows: 0, columns: { id: [] } })).rejects.toMatchObject({
      kind: "failed-precondition",
      message: "songs.parquet is finished",
    });
  });
});
