import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { lookAtOutput, pathBelow } from "./look-at-output.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kindred-outputs-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const NOTHING_KNOWN = { sha256: new Uint8Array() };
const never = new AbortController().signal;
const sha256Of = (bytes: string | Buffer): Uint8Array =>
  new Uint8Array(createHash("sha256").update(bytes).digest());

test.each([
  ["out/a.png", "/media/out/a.png"],
  ["./out/../b.png", "/media/b.png"],
  ["/media/c.png", "/media/c.png"],
  ["..a/d.png", "/media/..a/d.png"],
  ["../e.png", undefined],
  ["..", undefined],
  ["", undefined],
  ["/media", undefined],
  ["/mediaother/f.png", undefined],
  ["out/../../g.png", undefined],
  ["s3://bucket/h.png", undefined],
  ["HTTPS://host/i.png", undefined],
])("%j below /media is %j", (path, expected) => {
  expect(pathBelow("/media", path)).toBe(expected);
});

test("the root of all takes every absolute path", () => {
  expect(pathBelow("/", "/srv/a.png")).toBe("/srv/a.png");
});

describe("a file", () => {
  const bytes = Buffer.alloc(600_000, "kangaroo");
  const sizeBytes = BigInt(bytes.length);
  beforeEach(() => writeFileSync(join(root, "a.png"), bytes));

  test("of which nothing was known is kept, and its size and hash are known from then on", async () => {
    expect(await lookAtOutput(root, { path: "a.png", ...NOTHING_KNOWN }, never)).toEqual({
      state: "kept",
      sizeBytes,
      sha256: sha256Of(bytes),
      bytes: bytes.length,
    });
  });

  test("is kept while size and hash are what they were", async () => {
    const output = { path: join(root, "a.png"), sizeBytes, sha256: sha256Of(bytes) };
    expect(await lookAtOutput(root, output, never)).toMatchObject({ state: "kept" });
  });

  test("of another size is changed, without reading it", async () => {
    const output = { path: "a.png", sizeBytes: sizeBytes + 1n, sha256: sha256Of(bytes) };
    expect(await lookAtOutput(root, output, never)).toEqual({ state: "changed", bytes: 0 });
  });

  test("of the same size with other bytes is changed", async () => {
    const output = { path: "a.png", sizeBytes, sha256: sha256Of("other") };
    expect(await lookAtOutput(root, output, never)).toEqual({ state: "changed", bytes: bytes.length });
  });

  test("that is not there, below what is no folder, or a folder itself is missing", async () => {
    mkdirSync(join(root, "folder"));
    for (const path of ["b.png", "a.png/c.png", "folder"]) {
      expect(await lookAtOutput(root, { path, ...NOTHING_KNOWN }, never)).toMatchObject({ state: "missing" });
    }
  });

  test("that cannot be read is neither missing nor changed", async () => {
    symlinkSync("loop.png", join(root, "loop.png"));
    expect(await lookAtOutput(root, { path: "loop.png", ...NOTHING_KNOWN }, never)).toMatchObject({
      state: "unreadable",
      reason: "ELOOP",
    });
    chmodSync(join(root, "a.png"), 0);
    // Root reads everything.
    const expected = process.getuid?.() === 0 ? { state: "kept" } : { state: "unreadable", reason: "EACCES" };
    expect(await lookAtOutput(root, { path: "a.png", ...NOTHING_KNOWN }, never)).toMatchObject(expected);
  });

  test("elsewhere is not looked at", async () => {
    expect(await lookAtOutput(join(root, "sub"), { path: "../a.png", ...NOTHING_KNOWN }, never)).toEqual({
      state: "elsewhere",
      bytes: 0,
    });
  });

  test("is not read on when the signal is aborted", async () => {
    const aborted = AbortSignal.abort(new Error("stopped"));
    await expect(lookAtOutput(root, { path: "a.png", ...NOTHING_KNOWN }, aborted)).rejects.toThrow("stopped");
  });
});
