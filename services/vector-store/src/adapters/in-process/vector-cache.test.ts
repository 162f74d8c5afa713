import { expect, test } from "@jest/globals";
import { PackedKeys } from "../../domain/packed-keys.ts";
import { VectorCache, type RememberedVectors } from "./vector-cache.ts";

const vectors = (version: string, bytes: number): RememberedVectors => ({
  values: new Float32Array(0),
  norms: new Float32Array(0),
  count: 0,
  keys: new PackedKeys({ keys: 0, keyBytes: 0 }),
  version,
  bytes,
});

function put(cache: VectorCache, table: string, entry: RememberedVectors): boolean {
  const room = cache.reserve(entry.bytes);
  if (room) cache.fill(room, table, entry);
  return room !== undefined;
}

test("gives what has the version that is asked for, and forgets what has another", () => {
  const cache = new VectorCache(100);
  const entry = vectors("1", 60);
  put(cache, "a", entry);
  expect(cache.get("a", "1")).toBe(entry);
  expect(["1", "2"].map((version) => cache.has("a", version))).toEqual([true, false]);
  expect(cache.get("a", "2")).toBeUndefined();
  expect(cache.bytes).toBe(0);
});

test("what was used longest ago makes room", () => {
  const cache = new VectorCache(100);
  for (const table of ["a", "b"]) put(cache, table, vectors("1", 40));
  cache.get("a", "1");
  expect(put(cache, "c", vectors("1", 50))).toBe(true);
  expect(["a", "b", "c"].map((table) => cache.get(table, "1") !== undefined)).toEqual([true, false, true]);
  expect(cache.bytes).toBe(90);
});

test("gives no more room than there is, counting what is being filled", () => {
  const cache = new VectorCache(100);
  expect(cache.reserve(101)).toBeUndefined();
  const room = cache.reserve(70);
  expect(cache.reserve(31)).toBeUndefined();
  if (room) cache.giveBack(room);
  expect(put(cache, "a", vectors("1", 100))).toBe(true);
  expect(new VectorCache(0).reserve(1)).toBeUndefined();
});
