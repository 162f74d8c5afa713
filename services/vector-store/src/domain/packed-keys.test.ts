import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { PackedKeys } from "./packed-keys.ts";

const unicode = fc.string({ unit: "binary" });

test("keys come back as they were, and are found behind a place", () => {
  fc.assert(
    fc.property(fc.uniqueArray(unicode, { maxLength: 30 }), (keys) => {
      const keyBytes = keys.reduce((sum, key) => sum + Buffer.byteLength(key), 0);
      const packed = new PackedKeys({ keys: keys.length, keyBytes });
      for (const key of keys) expect(packed.push(key)).toBe(true);
      expect(packed.count).toBe(keys.length);
      expect(packed.push("")).toBe(false);
      for (const [i, key] of keys.entries()) {
        expect(packed.at(i)).toBe(key);
        expect(packed.indexOf(key, 0)).toBe(i);
        expect(packed.indexOf(key, i)).toBe(i);
        expect(packed.indexOf(key, i + 1)).toBe(-1);
      }
    }),
  );
});

test("a key that is longer than was said is refused", () => {
  const packed = new PackedKeys({ keys: 2, keyBytes: 3 });
  expect(packed.push("ab")).toBe(true);
  expect(packed.push("ü")).toBe(false);
  expect(packed.push("u")).toBe(true);
});
