import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import { temporaryFolder } from "./temporary-folder.ts";

test("what a killed run has left is removed, and nobody else's folder that is named like it", async () => {
  const ended = spawnSync(process.execPath, ["-e", ""]).pid;
  const left = mkdtempSync(join(tmpdir(), `kindred-test-${ended}-`));
  // What mkdtemp makes of "kindred-test-" now and then.
  const others = join(tmpdir(), `kindred-test-${ended}viM2b`);
  mkdirSync(others);
  try {
    await using folder = await temporaryFolder();
    expect([left, others, folder.path].map((path) => existsSync(path))).toEqual([false, true, true]);
  } finally {
    rmSync(others, { recursive: true });
  }
});
