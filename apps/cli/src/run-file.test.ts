import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readRunFile, removeRunFile, runFilePath, writeRunFile, type RunFile } from "./run-file.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "kindred-run-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const run: RunFile = {
  pid: process.pid,
  origin: "http://127.0.0.1:8080",
  grpc: { embedding: "127.0.0.1:50051" },
  databaseUrl: "postgresql://kindred:secret@127.0.0.1/kindred",
  mediaRoot: "/media",
  startedAt: "2026-07-01T00:00:00Z",
};

test("what runs is read back, and the password is the owner's only", async () => {
  await writeRunFile(home, run);
  expect(await readRunFile(home)).toEqual(run);
  expect(statSync(runFilePath(home)).mode & 0o777).toBe(0o600);
  await removeRunFile(home);
  expect(await readRunFile(home)).toBeUndefined();
});

test("a file whose process has died, or that is half written, means that nothing runs", async () => {
  await writeRunFile(home, { ...run, pid: 2 ** 22 + 1 });
  expect(await readRunFile(home)).toBeUndefined();
  writeFileSync(runFilePath(home), '{"pid":');
  expect(await readRunFile(home)).toBeUndefined();
  expect(await readRunFile(join(home, "nowhere"))).toBeUndefined();
});
