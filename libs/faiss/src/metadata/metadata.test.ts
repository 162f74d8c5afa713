import { describe, expect, test } from "@jest/globals";
import { NumpyArray, type PickleValue } from "@kindred/pickle";
import { matchRecords, type IndexIds } from "./match-records.ts";
import { readMetadata } from "./metadata.ts";

const dict = (fields: Record<string, PickleValue>): PickleValue => new Map(Object.entries(fields));
const integers = (...values: number[]): NumpyArray =>
  new NumpyArray("int64", [values.length], BigInt64Array.from(values, BigInt));

function indexOf(count: number, ids?: readonly number[]): IndexIds {
  return {
    count,
    hasIds: ids !== undefined,
    // oxlint-disable-next-line typescript/require-await -- as an index gives them
    ids: async function* () {
      const all = ids ?? Array.from({ length: count }, (_, i) => i);
      yield BigInt64Array.from(all.slice(0, 2), BigInt);
      yield BigInt64Array.from(all.slice(2), BigInt);
    },
  };
}

/** Path of the record of each vector. */
async function pathsOf(value: PickleValue, ids: readonly number[], hasIds: boolean): Promise<unknown[]> {
  const metadata = readMetadata(value);
  const match = await matchRecords(metadata, indexOf(ids.length, hasIds ? ids : undefined));
  return ids.map((id, position) => metadata.record(match.recordOf(BigInt(id), position)).get("path"));
}

describe("shapes", () => {
  test("a list of dicts", async () => {
    const value = [dict({ path: "a" }), dict({ path: "b" }), dict({ path: "c", width: 1 })];
    const metadata = readMetadata(value);
    expect(metadata).toMatchObject({ shape: "list of dicts", count: 3, vectors: undefined });
    expect(metadata.record(2)).toEqual(
      new Map<string, unknown>([
        ["path", "c"],
        ["width", 1],
      ]),
    );
    expect(() => metadata.record(3)).toThrow(RangeError);
    expect(await pathsOf(value, [0, 1, 2], false)).toEqual(["a", "b", "c"]);
    // Ids of which the metadata says nothing are in the order in which they were added.
    expect(await pathsOf(value, [70, 50, 60], true)).toEqual(["a", "b", "c"]);
  });

  test("a list, or an array, of paths", () => {
    expect(readMetadata(["a.jpg"]).record(0)).toEqual(new Map([["image_path", "a.jpg"]]));
    const array = new NumpyArray("object", [2], ["a.jpg", dict({ path: "b" })]);
    expect(readMetadata(array).record(1)).toEqual(new Map([["path", "b"]]));
  });

  test("a dict of columns, with what is said once", async () => {
    const value = dict({
      ids: integers(7, 5, 6),
      path: ["a", "b", "c"],
      width: new NumpyArray("int32", [3], Int32Array.of(1, 2, 3)),
      model_name: "m",
      vectors: new NumpyArray("float32", [3, 2], new Float32Array(6)),
    });
    const metadata = readMetadata(value);
    expect(metadata).toMatchObject({
      shape: "dict of columns",
      count: 3,
      shared: new Map([["model_name", "m"]]),
      vectors: { name: "vectors", dimensions: 2 },
    });
    expect(metadata.record(1)).toEqual(
      new Map<string, unknown>([
        ["ids", 5],
        ["path", "b"],
        ["width", 2],
      ]),
    );
    expect(await pathsOf(value, [5, 6, 7], true)).toEqual(["b", "c", "a"]);
  });

  test.each([
    ["integers", new Map<PickleValue, PickleValue>([7, 5, 6].map((id) => [id, dict({ path: `p${id}` })]))],
    [
      "digits",
      new Map<PickleValue, PickleValue>(["7", "5", "6"].map((id) => [id, dict({ path: `p${id}` })])),
    ],
    ["bigints", new Map<PickleValue, PickleValue>([7n, 5n, 6n].map((id) => [id, dict({ path: `p${id}` })]))],
  ])("a dict keyed by id: %s", async (_name, value) => {
    expect(readMetadata(value).shape).toBe("dict keyed by id");
    expect(await pathsOf(value, [5, 6, 7], true)).toEqual(["p5", "p6", "p7"]);
  });

  test.each([
    ["a number", 5, /it is the number 5/],
    ["a text", "x", /it is the text "x"/],
    ["a list of numbers", [dict({}), 7], /record 1 is the number 7 where a dict/],
    ["a dict of ids and no dicts", new Map<PickleValue, PickleValue>([[3, null]]), /key 3 is None/],
    [
      "keys of two kinds",
      new Map<PickleValue, PickleValue>([
        [3, []],
        ["a", []],
      ]),
      /neither all ids nor all texts: one is the number 3/,
    ],
    ["columns of other lengths", dict({ path: ["a", "b"], width: [1] }), /"path" has 2, "width" has 1/],
    [
      "vectors of another length",
      dict({ path: ["a", "b"], v: new NumpyArray("float32", [3, 1], new Float32Array(3)) }),
      /"v" has 3/,
    ],
    ["no column", dict({ a: 1, b: "x" }), /a dict of 2 keys, and none/],
    ["an empty dict", new Map<PickleValue, PickleValue>(), /a dict of 0 keys/],
  ])("%s is none", (_name, value, message) => {
    expect(() => readMetadata(value as PickleValue)).toThrow(message);
  });
});

describe("which record belongs to which vector", () => {
  const records = (...ids: number[]): PickleValue => ids.map((id) => dict({ id, path: `p${id}` }));

  test("ids of the records are those of the index", async () => {
    expect(await pathsOf(records(9, 8, 7), [7, 8, 9], true)).toEqual(["p7", "p8", "p9"]);
  });

  test("ids that are the positions of an index without ids say the order", async () => {
    expect(await pathsOf(records(2, 0, 1), [0, 1, 2], false)).toEqual(["p0", "p1", "p2"]);
  });

  test("ids of something else do not matter to an index without ids", async () => {
    expect(await pathsOf(records(20, 30, 10), [0, 1, 2], false)).toEqual(["p20", "p30", "p10"]);
  });

  test("an image's id is the vector's only where it agrees", async () => {
    const value = [3, 1, 2].map((id) => dict({ image_id: id, path: `p${id}` }));
    expect(await pathsOf(value, [1, 2, 3], true)).toEqual(["p1", "p2", "p3"]);
    expect(await pathsOf(value, [1, 2, 30], true)).toEqual(["p3", "p1", "p2"]);
  });

  test.each([
    ["other ids than the index", records(1, 2, 4), [1, 2, 3], /the index has 3, and no record has it/],
    ["an id twice", records(1, 1, 2), [1, 2, 3], /1 of them come more than once/],
    ["an index with an id twice", records(1, 2, 3), [1, 2, 2], /the index has 2 more than once/],
    ["too few", records(1, 2), [1, 2, 3], /the index has 3 vectors and the metadata 2 records/],
  ])("%s: refused", async (_name, value, ids, message) => {
    await expect(pathsOf(value, ids, true)).rejects.toThrow(message);
    await expect(pathsOf(value, ids, true)).rejects.toMatchObject({ kind: "data-loss" });
  });

  test("keys that are not the positions of an index without ids: refused", async () => {
    const value = new Map<PickleValue, PickleValue>([1, 2, 3].map((id) => [id, dict({ path: "p" })]));
    await expect(pathsOf(value, [0, 1, 2], false)).rejects.toThrow(
      /keys are not the index's ids: the index has 0/,
    );
  });
});
