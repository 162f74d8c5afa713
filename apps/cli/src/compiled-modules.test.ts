import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-modules-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function version(cache: string): Promise<{ stdout: string; stderr: string }> {
  return await promisify(execFile)(process.execPath, [main, "--version"], {
    env: { PATH: process.env["PATH"], KINDRED_HOME: folder, KINDRED_CACHE_DIR: cache },
  });
}

test("compiled modules are kept in Kindred's cache", async () => {
  const cache = join(folder, "cache");
  const first = await version(cache);
  const kept = readdirSync(join(cache, "node"), { recursive: true });
  expect(kept.length).toBeGreaterThan(100);
  expect(await version(cache)).toEqual(first);
});

test.each([
  ["below what is no folder", "file/cache"],
  ["a file itself", "file"],
  ["below a folder that is not there", "none/cache"],
])("a cache that cannot be made is done without: %s", async (_, path) => {
  writeFileSync(join(folder, "file"), "");
  expect(await version(join(folder, path))).toMatchObject({ stdout: "0.1.0\n" });
  expect(existsSync(join(folder, path, "node"))).toBe(false);
});
