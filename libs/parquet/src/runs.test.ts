import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ByteWriter } from "hyparquet-writer";
import { writeRleBitPackedHybrid } from "hyparquet-writer/src/encoding.js";
import { readRuns } from "./runs.ts";

describe("runs", () => {
  test("are read as they were written, whatever the width", () => {
    const numbers = fc.integer({ min: 1, max: 24 }).chain((bits) =>
      fc.tuple(
        fc.constant(bits),
        fc
          .array(fc.tuple(fc.integer({ min: 0, max: 2 ** bits - 1 }), fc.integer({ min: 1, max: 20 })), {
            minLength: 1,
            maxLength: 20,
          })
          .map((runs) => runs.flatMap(([value, times]) => Array.from({ length: times }, () => value))),
      ),
    );
    fc.assert(
      fc.property(numbers, ([bits, values]) => {
        const writer = new ByteWriter();
        writeRleBitPackedHybrid(writer, values, bits);
        expect(Array.from(readRuns(writer.getBytes(), bits, values.length))).toEqual(values);
      }),
    );
  });

  test("that state two thousand million numbers give as many as are asked for", () => {
    // A run of 2^31 - 1 times 1.
    expect(Array.from(readRuns(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), 1, 3))).toEqual([1, 1, 1]);
  });

  test("that end early, or whose length has no end, are refused", () => {
    expect(() => readRuns(Uint8Array.of(), 1, 1)).toThrow(RangeError);
    expect(() => readRuns(Uint8Array.of(2 << 1, 1), 1, 3)).toThrow("runs end before their numbers do");
    expect(() => readRuns(Uint8Array.of(255, 255, 255, 255, 255, 255, 1), 1, 3)).toThrow("has no end");
    expect(() => readRuns(Uint8Array.of(2), 25, 1)).toThrow("numbers of 25 bits");
  });

  test("are read from any bytes or refused, and never for long", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.nat({ max: 24 }),
        fc.nat({ max: 1000 }),
        (bytes, bits, count) => {
          try {
            expect(readRuns(bytes, bits, count)).toHaveLength(count);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
