import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { fromVectorBytes, fromVectorText, toVectorParameter } from "./vectors.ts";

const vectors = fc.float32Array({ minLength: 1, maxLength: 500, noNaN: true });

describe("binary form", () => {
  test("is dimensions, zero, big-endian values", () => {
    expect(toVectorParameter(new Float32Array([1, -2])).toString("hex")).toBe("000200003f800000c0000000");
  });

  test("comes back as it went, wherever in a larger buffer it lies", () => {
    fc.assert(
      fc.property(vectors, fc.nat({ max: 7 }), (vector, offset) => {
        const bytes = toVectorParameter(vector);
        const shifted = new Uint8Array(bytes.length + offset);
        shifted.set(bytes, offset);
        expect(fromVectorBytes(shifted.subarray(offset))).toEqual(vector);
      }),
    );
  });

  test("leaves what it was made from alone, and keeps nothing of it", () => {
    const all = new Float32Array([9, 1, 2, 9]);
    const part = all.subarray(1, 3);
    const bytes = toVectorParameter(part);
    expect([...all]).toEqual([9, 1, 2, 9]);
    part[0] = 5;
    expect([...fromVectorBytes(bytes)]).toEqual([1, 2]);
  });

  test.each(["", "0001", "000200003f800000", "000000003f800000"])("%j is refused", (hex) => {
    expect(() => fromVectorBytes(Buffer.from(hex, "hex"))).toThrow("not a vector in binary form");
  });
});

describe("text form", () => {
  test("is read as PostgreSQL writes it", () => {
    expect([...fromVectorText("[1,-2.5,1e-05]")]).toEqual([1, -2.5, Math.fround(1e-5)]);
  });

  test.each(["", "1,2", "[1,x]", "[1,2"])("%j is refused", (text) => {
    expect(() => fromVectorText(text)).toThrow("not a vector in text form");
  });
});
