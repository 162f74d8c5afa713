import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { lockDataFolder } from "./owner-lock.ts";
import { identityOf, isRunning, type ProcessIdentity } from "./process-identity.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindred-owner-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("one owner at a time; whoever lets go leaves no trace", async () => {
  const lock = await lockDataFolder(folder);
  await expect(lockDataFolder(folder)).rejects.toMatchObject({ kind: "failed-precondition" });
  await lock[Symbol.asyncDispose]();
  expect(await readdir(folder)).toEqual([]);
  await (await lockDataFolder(folder))[Symbol.asyncDispose]();
});

test("a process that died owns nothing, whoever has its number now", async () => {
  const self = identityOf(process.pid) as ProcessIdentity;
  for (const stale of [JSON.stringify({ ...self, startedAt: "earlier" }), '{"pid":', "null", ""]) {
    await writeFile(join(folder, "owner.json"), stale);
    // One that is not whole may just be being written, unless it is old.
    await utimes(join(folder, "owner.json"), 1, 1);
    const lock = await lockDataFolder(folder);
    expect(JSON.parse(await readFile(join(folder, "owner.json"), "utf8"))).toEqual(self);
    await lock[Symbol.asyncDispose]();
  }
});

test("of many that come at once after a crash, one gets it", async () => {
  await writeFile(join(folder, "owner.json"), JSON.stringify({ pid: process.pid, startedAt: "earlier" }));
  const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataFolder(folder)));
  expect(attempts.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("a process is known until it ends", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  const identity = identityOf(child.pid as number) as ProcessIdentity;
  expect(isRunning(identity)).toBe(true);
  expect(isRunning({ ...identity, startedAt: "another time" })).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isRunning(identity)).toBe(false);
});
