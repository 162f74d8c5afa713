import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { decodeFloats } from "./decode-floats.ts";

test("reads what was written, bit by bit", () => {
  fc.assert(
    fc.property(fc.float32Array({ maxLength: 20 }), (floats) => {
      const bytes = new Uint8Array(floats.length * 4);
      const view = new DataView(bytes.buffer);
      for (const [i, value] of floats.entries()) view.setFloat32(4 * i, value, true);
      const decoded = decodeFloats(Buffer.from(bytes).toString("base64"));
      expect([...(decoded ?? [])]).toEqual([...floats]);
    }),
  );
});

test.each(["AAAA", "§§§§", "AAAAA", "AAAA AAAA", "====", "AAAAA=A="])("%p is no list of floats", (text) => {
  expect(decodeFloats(text)).toBeUndefined();
});
