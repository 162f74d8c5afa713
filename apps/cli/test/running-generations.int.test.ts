import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startStack, type Stack } from "@kindred/testing";
import { EXIT } from "../src/exit-codes.ts";
import type { Outcome } from "./kindred.ts";
import { runInProcess } from "./run-in-process.ts";

// The commands, the origin, the service and the database, all real.

let stack: Stack;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-generations-"));
  writeFileSync(join(folder, "kite.png"), "a picture");
  stack = await startStack({ services: ["generation-tracking"], origin: true });
}, 180_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]): Promise<Outcome> =>
  runInProcess(["generations", ...args], {
    KINDRED_URL: stack.originUrl as string,
    KINDRED_HOME: folder,
  });

interface Plain {
  id: number;
  status: string;
  [member: string]: unknown;
}

async function json(...args: string[]): Promise<Plain> {
  const { code, out, err } = await run(...args, "--json");
  if (code !== 0) throw new Error(`exit code ${code}\n${out}\n${err}`);
  return JSON.parse(out) as Plain;
}

const start = async (...args: string[]): Promise<string> =>
  String((await json("start", "--prompt", "a red kite", ...args)).id);

test("one is started, says how far it is, and is completed with its files' hashes", async () => {
  const id = await start(
    "--seed",
    "-9223372036854775808",
    "--label",
    "kites",
    "--lease",
    "2m",
    "--width",
    "64",
  );
  expect((await run("show", id)).out).toMatch(/status +running[\s\S]*lease until[\s\S]*labels +kites/);
  const progress = await run("progress", id, "--done", "7", "--total", "30", "--message", "denoising");
  expect(progress).toMatchObject({
    code: 0,
    out: expect.stringContaining("the next report has to come before"),
  });
  expect((await run("show", id)).out).toContain("7 of 30 (denoising)");
  const done = await json("complete", id, "-o", "kite.png", "--root", folder, "--model", '{"name": "sd"}');
  const sha256 = createHash("sha256").update("a picture").digest("base64");
  expect(done).toMatchObject({
    status: "GENERATION_STATUS_COMPLETED",
    output_path: "kite.png",
    model_name: "sd",
    outputs: [{ path: "kite.png", size_bytes: 9, sha256 }],
    labels: ["kites"],
  });
  const late = await run("progress", id);
  expect(late.code).toBe(EXIT.failure);
  expect(late.err).toContain("does not run any more: it is completed");
});

test("files that are not there are not recorded, and it runs on", async () => {
  const id = await start();
  const { code, err } = await run("complete", id, "-o", "kite.png", "-o", "no.png", "--root", folder);
  expect(code).toBe(EXIT.data);
  expect(err).toContain(`no.png below ${folder}: there is no such file.`);
  expect((await json("show", id)).status).toBe("GENERATION_STATUS_RUNNING");
  expect((await json("fail", id, "--error", "out of memory", "--time-ms", "12"))["generation_time_ms"]).toBe(
    12,
  );
});

describe("watching", () => {
  test("shows every change to a program, and ends with it", async () => {
    const id = await start();
    const watching = run("watch", id, "--json");
    await run("complete", id);
    const { code, out } = await watching;
    expect(code).toBe(0);
    const lines = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Plain);
    expect(lines.at(-1)).toMatchObject({ id: Number(id), status: "GENERATION_STATUS_COMPLETED" });
  });

  test("fails when it was cancelled", async () => {
    const id = await start();
    const watching = run("watch", id);
    await run("cancel", id);
    const { code, err } = await watching;
    expect(code).toBe(EXIT.failure);
    expect(err).toContain(`Generation ${id} was cancelled.`);
  });
});

test("rating and labels are changed, and taken away", async () => {
  const { id: recorded } = await json(
    "record",
    "--prompt",
    "x",
    "--label",
    "a",
    "--label",
    "b",
    "-o",
    "x.png",
  );
  const id = String(recorded);
  expect((await json("rate", id, "4"))["rating"]).toBe(4);
  expect((await json("rate", id, "none"))["rating"]).toBeUndefined();
  expect((await json("label", id, "--add", "c", "--remove", "a"))["labels"]).toEqual(["b", "c"]);
  expect((await json("label", id, "--set", "d"))["labels"]).toEqual(["d"]);
  expect((await json("label", id, "--clear"))["labels"] ?? []).toEqual([]);
  expect((await run("label", id, "--clear", "--add", "x")).code).toBe(EXIT.usage);
  expect((await run("rate", id, "6")).code).toBe(EXIT.usage);
});

test("generations are deleted where somebody agreed", async () => {
  const [first, second] = [await start(), await start()];
  const asked = await run("delete", first, second);
  expect(asked.code).toBe(EXIT.usage);
  expect(asked.err).toContain("--yes");
  expect(await json("delete", first, second, first, "--yes")).toEqual({ deleted: 2, not_found: 0 });
  expect((await run("show", first)).err).toContain(`there is no generation with id ${first}`);
});

test("a key starts one only; bad values are refused", async () => {
  const one = await json("start", "--prompt", "x", "--key", "k");
  const again = await json("start", "--prompt", "x", "--key", "k");
  expect([again.id, one["existing"], again["existing"]]).toEqual([one.id, false, true]);
  for (const args of [
    ["start", "--prompt", "x", "--lease", "500ms"],
    ["start", "--prompt", "x", "--seed", "9223372036854775808"],
    ["show", "0"],
    ["progress", "1", "--total", "3"],
    ["fail", "1"],
  ]) {
    expect((await run(...args)).code).toBe(EXIT.usage);
  }
});
