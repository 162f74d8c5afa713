import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { fileSize, openByteSource, removeAbandoned, sha256OfFile } from "./files.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindred-files-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const LONG_AGO = new Date(0);

describe("removeAbandoned", () => {
  test("removes temporary folders that nobody writes to, and nothing else", async () => {
    for (const name of ["model", "model.tmp-1-old", "model.tmp-2-young", "model.tmp-3-busy"]) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, "file"), "x");
    }
    for (const path of [
      "model/file",
      "model",
      "model.tmp-1-old/file",
      "model.tmp-1-old",
      "model.tmp-3-busy",
    ]) {
      await utimes(join(folder, path), LONG_AGO, LONG_AGO);
    }
    await removeAbandoned(folder, (name) => name.includes(".tmp-"));
    expect((await readdir(folder)).toSorted()).toEqual(["model", "model.tmp-2-young", "model.tmp-3-busy"]);
  });

  test("has nothing to do where there is no folder", async () => {
    await expect(removeAbandoned(join(folder, "none"), () => true)).resolves.toBeUndefined();
  });
});

test("fileSize is undefined for what is no file", async () => {
  await writeFile(join(folder, "a"), "four");
  await expect(fileSize(join(folder, "a"))).resolves.toBe(4);
  await expect(fileSize(join(folder, "b"))).resolves.toBeUndefined();
  await expect(fileSize(join(folder, "a", "b"))).resolves.toBeUndefined();
  await expect(fileSize(folder)).resolves.toBeUndefined();
});

test("sha256OfFile reports how far it is", async () => {
  await writeFile(join(folder, "a"), "abc");
  const seen: number[] = [];
  await expect(sha256OfFile(join(folder, "a"), (done) => seen.push(done))).resolves.toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  expect(seen).toEqual([3]);
});

test("a byte source reads exactly what is asked for, and says when there is less", async () => {
  await writeFile(join(folder, "a"), "0123456789");
  await using source = await openByteSource(join(folder, "a"));
  expect(source.size).toBe(10);
  expect(Buffer.from(await source.read(3, 4)).toString()).toBe("3456");
  await expect(source.read(8, 4)).rejects.toThrow("ends at byte 10 of 12");
});
