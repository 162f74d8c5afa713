import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { packVectors, unpackVectors } from "./packed-vectors.ts";

test("vectors survive the wire at any alignment", () => {
  fc.assert(
    fc.property(fc.array(fc.float(), { maxLength: 50 }), fc.integer({ min: 0, max: 7 }), (values, offset) => {
      const vector = Float32Array.from(values);
      const shifted = new Uint8Array(vector.byteLength + offset);
      shifted.set(packVectors(vector), offset);
      expect(unpackVectors(shifted.subarray(offset), 1)).toEqual(vector);
    }),
  );
});

test("the bytes are little-endian float32", () => {
  expect([...packVectors(Float32Array.of(1, -2))]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
});

test("a length that is no whole number of vectors is refused by field", () => {
  expect(() => unpackVectors(new Uint8Array(13), 3, "vector.data")).toThrow(
    "vector.data must hold little-endian float32 vectors of 3 dimensions (12 bytes each), has 13 bytes",
  );
});
