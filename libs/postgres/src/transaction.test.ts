import { expect, test } from "@jest/globals";
import { setLocalStatements } from "./transaction.ts";

test("each setting is a statement of its own, its value quoted", () => {
  expect(
    setLocalStatements({ "hnsw.ef_search": 200, work_mem: "64MB", "kindred.note": "it's \\ here" }),
  ).toEqual([
    "SET LOCAL hnsw.ef_search = 200",
    "SET LOCAL work_mem = '64MB'",
    String.raw`SET LOCAL kindred.note =  E'it''s \\ here'`,
  ]);
});

test.each(["work_mem; DROP TABLE images", "a b", "", "1x", "a.b.c", "search_path", 'x"'])(
  "%j is not a setting for a transaction",
  (name) => {
    expect(() => setLocalStatements({ [name]: 1 })).toThrow("not a setting");
  },
);

test("a number that is none is refused", () => {
  expect(() => setLocalStatements({ work_mem: Number.NaN })).toThrow("work_mem is NaN");
});
