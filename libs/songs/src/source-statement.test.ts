import { describe, expect, test } from "@jest/globals";
import type { SourceIdentity } from "./manifest.ts";
import { differenceOf, songsStatement, tableName, type Selection } from "./source-statement.ts";

const COLUMNS = { id: "id", name: "name", artist: "artist", lyrics: "lyrics" };
const TABLE: Selection = { table: "songs", query: null, columns: COLUMNS };

describe("names of tables", () => {
  test.each([
    ["songs", '"songs"'],
    ["Music.Songs", '"Music"."Songs"'],
    ['music."Songs.2020"', 'music."Songs.2020"'.replace("music", '"music"')],
    ['"a""b"', '"a""b"'],
    ["songs; DROP TABLE songs", '"songs; DROP TABLE songs"'],
  ])("%s is %s", (name, quoted) => {
    expect(tableName(name)).toBe(quoted);
  });

  test.each(["", ".", "a.", ".a", "a.b.c", '"a', 'a"b"', '"a"b'])("%j is refused", (name) => {
    expect(() => tableName(name)).toThrow(/--table .*is no name of a table/);
  });
});

describe("the statement", () => {
  test("of a table, behind an id", () => {
    expect(songsStatement(TABLE, 17n)).toBe(
      'SELECT "id"::int8, "name"::text, "artist"::text, "lyrics"::text FROM "songs" AS songs WHERE songs."id" > 17 ORDER BY songs."id"',
    );
  });

  test("of a query that ends in a semicolon, with a column that is missing", () => {
    const selection: Selection = {
      table: null,
      query: "SELECT 1 AS id -- all\n ; ",
      columns: { ...COLUMNS, artist: null },
    };
    expect(songsStatement(selection, undefined)).toBe(
      'SELECT "id"::int8, "name"::text, NULL::text, "lyrics"::text FROM (\nSELECT 1 AS id -- all\n) AS songs ORDER BY songs."id"',
    );
  });
});

test("what differs between two sources is named", () => {
  const before: SourceIdentity = { server: "db:5432/music", ...TABLE };
  expect(differenceOf(before, structuredClone(before))).toBeUndefined();
  expect(differenceOf(before, { ...before, server: "db:5432/other" })).toBe(
    "the database was db:5432/music, and is db:5432/other",
  );
  expect(differenceOf(before, { ...before, table: null, query: "SELECT 1" })).toBe(
    "--table was songs, and is none",
  );
  expect(differenceOf(before, { ...before, columns: { ...COLUMNS, lyrics: "text" } })).toBe(
    "--lyrics-column was lyrics, and is text",
  );
});
