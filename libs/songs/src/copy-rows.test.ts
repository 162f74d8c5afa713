import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { CopyRows } from "./copy-rows.ts";

type Row = readonly (string | null)[];

/** PostgreSQL documentation, COPY, "Binary Format". */
function encode(rows: readonly Row[]): Buffer {
  const parts = [Buffer.from("PGCOPY\n\u00ff\r\n\0", "latin1"), Buffer.alloc(8)];
  const integer = (value: number, bytes: 2 | 4): void => {
    const part = Buffer.alloc(bytes);
    part.writeIntBE(value, 0, bytes);
    parts.push(part);
  };
  for (const row of rows) {
    integer(row.length, 2);
    for (const field of row) {
      const bytes = field === null ? undefined : Buffer.from(field);
      integer(bytes?.length ?? -1, 4);
      if (bytes) parts.push(bytes);
    }
  }
  integer(-1, 2);
  return Buffer.concat(parts);
}

function decode(chunks: readonly Buffer[], fields: number): Row[] {
  const decoder = new CopyRows(fields);
  const rows: Row[] = [];
  for (const chunk of chunks) {
    for (const row of decoder.push(chunk)) rows.push(row.map((field) => field?.toString() ?? null));
  }
  decoder.finish();
  return rows;
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [
    0,
    ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b),
    bytes.length,
  ];
  return cuts.slice(1).map((end, i) => bytes.subarray(cuts[i], end));
}

const field = fc.option(fc.string({ unit: "grapheme", maxLength: 40 }), { nil: null });
const rowsOf = (fields: number) =>
  fc.array(fc.array(field, { minLength: fields, maxLength: fields }), { maxLength: 20 });

describe("rows of COPY in binary", () => {
  test("come out as they went in, wherever chunks end", () => {
    fc.assert(
      fc.property(rowsOf(3), fc.array(fc.nat(10_000), { maxLength: 30 }), (rows, places) => {
        expect(decode(cutAt(encode(rows), places), 3)).toEqual(rows);
      }),
    );
  });

  test("byte by byte", () => {
    const rows = [
      ["1", "Rain", null],
      ["2", "", "Éire"],
    ];
    const bytes = encode(rows);
    expect(
      decode(
        Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
        3,
      ),
    ).toEqual(rows);
  });

  test("that end early are refused, at every byte", () => {
    const bytes = encode([
      ["1", "Rain"],
      ["2", null],
    ]);
    for (let end = 0; end < bytes.length; end += 1) {
      expect(() => decode([bytes.subarray(0, end)], 2)).toThrow(/ends in the middle/);
    }
  });

  test.each([
    ["another number of fields", encode([["1"]]), /row of 1 fields/],
    ["no signature", Buffer.alloc(40), /does not begin as one/],
    ["something behind the end", Buffer.concat([encode([]), Buffer.from("x")]), /goes on behind its end/],
  ])("%s is refused", (_what, bytes, message) => {
    expect(() => decode([bytes], 2)).toThrow(message);
  });
});
