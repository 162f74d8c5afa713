import { describe, expect, test } from "@jest/globals";
import { ElementType } from "@kindred/contracts/vector-store/v1";
import * as fc from "fast-check";
import { bitsText, packBits, packFloats, parseVector, shortVector, storedVectorJson } from "./vector-text.ts";

const floats = (dimensions: number) => ({ elementType: ElementType.VECTOR, dimensions });
const bits = (dimensions: number) => ({ elementType: ElementType.BIT, dimensions });

describe("a vector that was typed", () => {
  test.each<[string, number[]]>([
    ["1,2,3", [1, 2, 3]],
    [" [0.5, -1e-3 ,+2] ", [0.5, -1e-3, 2]],
    ["1 2\n3", [1, 2, 3]],
    ["[7]", [7]],
    ["0", [0]],
    ["[0 1]", [0, 1]],
  ])("%j", (raw, expected) => {
    expect(parseVector(raw)).toEqual(packFloats(expected));
  });

  test("bits, from the highest one of the first byte", () => {
    expect(parseVector("1000000011")).toEqual({
      data: new Uint8Array([0x80, 0xc0]),
      dimensions: 10,
      isBits: true,
    });
  });

  test.each(["", "[]", "1,,2", "1,a", "NaN,1", "1,Infinity", "1e39", "[1,2"])("%j is none", (raw) => {
    expect(() => parseVector(raw)).toThrow("is no finite float32");
  });
});

test("bits are written as they were read", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("0", "1"), { minLength: 1, maxLength: 100 }), (each) => {
      const text = each.join("");
      const { data, dimensions } = packBits(text);
      expect(bitsText(data, dimensions)).toBe(text);
      expect(JSON.parse(storedVectorJson(data, bits(dimensions)))).toBe(text);
    }),
  );
});

test("numbers are written so that the same float32 are read", () => {
  const finite = fc.float({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0));
  fc.assert(
    fc.property(fc.array(finite, { minLength: 1, maxLength: 20 }), (values) => {
      const { data, dimensions } = packFloats(values);
      const text = storedVectorJson(data, floats(dimensions));
      expect(JSON.parse(text)).toEqual(expect.any(Array));
      expect(parseVector(text)).toEqual(packFloats(values));
    }),
  );
});

test("the beginning, for people", () => {
  expect(shortVector(packFloats([1, -0.25]).data, floats(2))).toBe("+1.0000 -0.2500");
  expect(shortVector(packFloats([1, 2, 3, 4, 5, 6]).data, floats(6))).toBe(
    "+1.0000 +2.0000 +3.0000 +4.0000 +5.0000 …",
  );
  expect(shortVector(packBits("101").data, bits(3))).toBe("101");
  expect(shortVector(packBits("1".repeat(40)).data, bits(40))).toBe(`${"1".repeat(32)} …`);
});
