import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readJson, writeWhole } from "./whole-file.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-whole-file-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([true, false])("a file is replaced, and nothing stays beside it (durable: %s)", async (durable) => {
  const path = join(folder, `replaced-${durable}.json`);
  await writeWhole(path, "a longer first one", { durable });
  await writeWhole(path, "second", { durable });
  expect(readFileSync(path, "utf8")).toBe("second");
  expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
});

test("what cannot be written leaves nothing behind", async () => {
  const path = join(folder, "missing", "file.json");
  await expect(writeWhole(path, "text", { durable: true })).rejects.toMatchObject({ code: "ENOENT" });
  expect(existsSync(join(folder, "missing"))).toBe(false);
});

test("JSON is read; no file is nothing, and no JSON is data that was lost", async () => {
  const path = join(folder, "read.json");
  expect(await readJson(path)).toBeUndefined();
  writeFileSync(path, '{"rows": 3}');
  expect(await readJson(path)).toEqual({ rows: 3 });
  writeFileSync(path, '{"rows": 3');
  await expect(readJson(path)).rejects.toMatchObject({
    kind: "data-loss",
    message: expect.stringContaining(`${path} is no JSON`) as unknown,
  });
});
