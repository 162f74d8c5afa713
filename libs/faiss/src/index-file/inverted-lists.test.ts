import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { locate, sortRowsById, type InvertedLists } from "./inverted-lists.ts";

describe("sortRowsById", () => {
  const small = fc.bigInt(-3n, 3n);
  const any = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);

  test("gives what a stable sort gives, for ids of any size and sign, also more than once", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(small, any), { maxLength: 300 }), (ids) => {
        const expected = ids
          .map((id, row) => ({ id, row }))
          .toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
          .map(({ row }) => row);
        expect([...sortRowsById(BigInt64Array.from(ids))]).toEqual(expected);
      }),
    );
  });
});

describe("locate", () => {
  test("finds the list of a row and its place in the file", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(sizes, (all) => {
        const firstRows = all.map((_, i) => all.slice(0, i).reduce((a, b) => a + b, 0));
        const lists: InvertedLists = {
          rows: all.reduce((a, b) => a + b, 0),
          codeBytes: 4,
          numbers: all.map((_, i) => 10 + 3 * i),
          firstRows,
          starts: firstRows.map((row) => 100 + 12 * row),
        };
        const expected = all.flatMap((size, i) =>
          Array.from({ length: size }, (_, within) => ({
            list: 10 + 3 * i,
            at: 100 + 12 * (firstRows[i] as number) + 4 * within,
          })),
        );
        expect(expected.map((_, row) => locate(lists, row))).toEqual(expected);
      }),
    );
  });
});
