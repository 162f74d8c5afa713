import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { mayAnyoneEnter, resolvePlaces, type Account } from "./places.ts";

const user: Account = { homeDir: "/home/ann", isRoot: false, mayAnyoneEnter: () => false };
const root: Account = {
  homeDir: "/root",
  isRoot: true,
  mayAnyoneEnter: (folder) => !folder.startsWith("/root/"),
};

test("the XDG folders of the user", () => {
  expect(resolvePlaces({}, user)).toEqual({
    home: "/home/ann/.local/share/kindred",
    cache: "/home/ann/.cache/kindred",
  });
  expect(resolvePlaces({ XDG_DATA_HOME: "/data", XDG_CACHE_HOME: "relative" }, user)).toEqual({
    home: "/data/kindred",
    cache: "/home/ann/.cache/kindred",
  });
});

test("root's own folders are closed to the database's user", () => {
  expect(resolvePlaces({}, root)).toEqual({ home: "/var/lib/kindred", cache: "/var/cache/kindred" });
  expect(resolvePlaces({ XDG_DATA_HOME: "/srv" }, root)).toEqual({
    home: "/srv/kindred",
    cache: "/var/cache/kindred",
  });
});

test("what is set is taken as it is; empty counts as absent", () => {
  expect(resolvePlaces({ KINDRED_HOME: "/root/mine", KINDRED_CACHE_DIR: "" }, root)).toEqual({
    home: "/root/mine",
    cache: "/var/cache/kindred",
  });
});

test("a folder can be entered when every folder above it can", () => {
  const folder = mkdtempSync(join(tmpdir(), "kindred-places-"));
  try {
    mkdirSync(join(folder, "open", "inner"), { recursive: true });
    chmodSync(folder, 0o755);
    expect(mayAnyoneEnter(join(folder, "open", "inner", "not", "there"))).toBe(true);
    chmodSync(join(folder, "open"), 0o700);
    expect(mayAnyoneEnter(join(folder, "open", "inner"))).toBe(false);
    expect(mayAnyoneEnter(folder)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
