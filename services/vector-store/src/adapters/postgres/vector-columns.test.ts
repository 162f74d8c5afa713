import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { packVectors } from "@kindred/rpc";
import type { Collection, ElementType } from "../../domain/collection.ts";
import type { Layout } from "../../domain/layout.ts";
import { packedFromColumn, vectorParameter, vectorParameterType, vectorSelectSql } from "./vector-columns.ts";

function shape(
  storage: Layout["vector"]["storage"],
  dimensions: number,
  elementType: ElementType = storage === "json" ? "vector" : storage,
): Pick<Collection, "elementType" | "dimensions"> & { layout: Pick<Layout, "vector"> } {
  return { elementType, dimensions, layout: { vector: { column: 'the "vector"', storage } } };
}

/** The same bytes at an offset that no typed array could begin at. */
function misaligned(bytes: Uint8Array): Uint8Array {
  const shifted = new Uint8Array(bytes.length + 1).subarray(1);
  shifted.set(bytes);
  return shifted;
}

const pack = (...values: number[]): Uint8Array => packVectors(Float32Array.from(values));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const floats = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 });

describe("binary forms, byte for byte", () => {
  test("vector", () => {
    expect(hex(vectorParameter(shape("vector", 2), pack(1, -2.5)))).toBe("000200003f800000c0200000");
    expect(vectorParameterType(shape("vector", 2))).toBe("vector");
  });

  test("halfvec", () => {
    expect(hex(vectorParameter(shape("halfvec", 3), pack(1, -2.5, 65504)))).toBe("000300003c00c1007bff");
    expect(vectorParameterType(shape("halfvec", 3))).toBe("halfvec");
  });

  test("bit", () => {
    expect(hex(vectorParameter(shape("bit", 12), Uint8Array.of(0xab, 0xc0)))).toBe("0000000cabc0");
    expect(vectorParameterType(shape("bit", 12))).toBe("bit varying");
  });

  test("JSON", () => {
    const bytes = vectorParameter(shape("json", 3), pack(1, 0.1, -2));
    expect(bytes[0]).toBe(1);
    expect(bytes.subarray(1).toString()).toBe("[1,0.10000000149011612,-2]");
    expect(vectorParameterType(shape("json", 3))).toBe("jsonb");
  });

  test("columns are quoted", () => {
    expect(vectorSelectSql(shape("vector", 1))).toBe('vector_send(v."the ""vector""")');
  });
});

describe("what is written is read back", () => {
  test.each(["vector", "json"] as const)("%s, exactly, at any offset", (storage) => {
    fc.assert(
      fc.property(floats, (values) => {
        const packed = misaligned(pack(...values));
        const before = hex(packed);
        const collection = shape(storage, values.length);
        // JSON has no negative zero, which equals zero.
        const expected = storage === "json" ? pack(...values.map((value) => value + 0)) : packed;
        expect(hex(packedFromColumn(collection, vectorParameter(collection, packed)))).toBe(hex(expected));
        expect(hex(packed)).toBe(before);
      }),
    );
  });

  test("bits", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (bytes) => {
        const collection = shape("bit", 8 * bytes.length);
        expect(hex(packedFromColumn(collection, vectorParameter(collection, bytes)))).toBe(hex(bytes));
      }),
    );
  });

  test("halfvec, rounded to the nearest, ties to even", () => {
    fc.assert(
      fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (value) => {
        const collection = shape("halfvec", 1);
        const read = packedFromColumn(collection, vectorParameter(collection, pack(value)));
        expect(Buffer.from(read).readFloatLE(0)).toBe(roundedToHalf(value));
      }),
      { numRuns: 2000 },
    );
    for (const value of [1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 1.5 * 2 ** -25, 65519]) {
      const collection = shape("halfvec", 1);
      const read = packedFromColumn(collection, vectorParameter(collection, pack(value)));
      expect(Buffer.from(read).readFloatLE(0)).toBe(roundedToHalf(value));
    }
  });
});

/** IEEE 754 by its definition: ten bits behind the binary point, exponents from -14 on, a tie to the even neighbour. */
function roundedToHalf(value: number): number {
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(value) || 1)));
  const step = 2 ** (exponent - 10);
  const scaled = Math.abs(value) / step;
  const below = Math.floor(scaled);
  const rest = scaled - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
  const rounded = (up ? below + 1 : below) * step;
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

test("what is no vector of the collection's is a defect", () => {
  for (const storage of ["vector", "halfvec", "json"] as const) {
    expect(() => vectorParameter(shape(storage, 3), pack(1, 2))).toThrow("not 12 bytes: 8");
  }
  expect(() => packedFromColumn(shape("vector", 3), vectorParameter(shape("vector", 2), pack(1, 2)))).toThrow(
    "no vector of 3 dimensions",
  );
});
