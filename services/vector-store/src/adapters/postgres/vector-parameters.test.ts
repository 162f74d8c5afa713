import { expect, test } from "@jest/globals";
import { packVectors } from "@kindred/rpc";
import { fromVectorBytes } from "@kindred/postgres";
import fc from "fast-check";
import { vectorParameter } from "./vector-parameters.ts";

const DIMENSIONS = 384;
const values = fc
  .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: DIMENSIONS, maxLength: DIMENSIONS })
  .map((numbers) => Float32Array.from(numbers));

/** The same bytes at an offset that no typed array could begin at. */
function misaligned(bytes: Uint8Array): Uint8Array {
  const shifted = new Uint8Array(bytes.length + 1).subarray(1);
  shifted.set(bytes);
  return shifted;
}

test("a packed vector in binary form is read back as it was", () => {
  fc.assert(
    fc.property(values, (vector) => {
      const packed = misaligned(packVectors(vector));
      const before = Uint8Array.from(packed);
      expect(fromVectorBytes(vectorParameter({ packed }))).toEqual(vector);
      expect(packed).toEqual(before);
    }),
  );
});

test("a stored vector goes back as it came", () => {
  const stored = vectorParameter({ packed: packVectors(new Float32Array(DIMENSIONS).fill(2)) });
  expect(vectorParameter({ stored })).toEqual(stored);
});

test("anything but a whole vector is a defect of the caller", () => {
  expect(() => vectorParameter({ packed: new Uint8Array(12) })).toThrow("not 1536 bytes: 12");
});
