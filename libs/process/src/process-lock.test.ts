import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { identityOf, isRunning, lockFile } from "./process-lock.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-lock-"));
  path = join(folder, "up.lock");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("one holder at a time, and the file goes with the lock", async () => {
  const lock = await lockFile(path);
  if ("heldBy" in lock) throw new Error("nobody else should hold it");
  expect(lock.takenOver).toBe(false);
  expect(await lockFile(path)).toEqual({ heldBy: process.pid });
  await lock[Symbol.asyncDispose]();
  expect(existsSync(path)).toBe(false);
});

test.each([
  ["of a process that is gone", JSON.stringify({ pid: 2 ** 22 + 1, startedAt: "x" })],
  ["of an earlier process with our number", JSON.stringify({ pid: process.pid, startedAt: "x" })],
  ["that was half written", '{"pid": 1'],
  ["that is empty", ""],
])("a lock %s is taken over", async (_, text) => {
  writeFileSync(path, text);
  expect(await lockFile(path)).toMatchObject({ takenOver: true });
});

test("of several at once, one gets a stale lock", async () => {
  writeFileSync(path, "");
  const locks = await Promise.all(Array.from({ length: 8 }, () => lockFile(path)));
  expect(locks.filter((lock) => !("heldBy" in lock)).length).toBe(1);
});

test("a process is itself until it has ended", async () => {
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
  await once(child, "spawn");
  const identity = identityOf(child.pid as number);
  expect(identity).toBeDefined();
  expect(isRunning(identity as NonNullable<typeof identity>)).toBe(true);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isRunning(identity as NonNullable<typeof identity>)).toBe(false);
  expect(identityOf(child.pid as number)).toBeUndefined();
});
