import { describe, expect, test } from "@jest/globals";
import { NumpyArray, Temporal, type PickleValue } from "@kindred/pickle";
import fc from "fast-check";
import { BadRecord, imageRecordOf, type ImageRecord } from "./image-record.ts";

const read = (fields: Record<string, PickleValue>, shared: Record<string, PickleValue> = {}): ImageRecord =>
  imageRecordOf(new Map(Object.entries(fields)), new Map(Object.entries(shared)), "set");

describe("fields", () => {
  test("all of them, and others as JSON", () => {
    expect(
      read({
        image_path: "a/b.JPEG",
        description: "A cat.",
        tags: ["x", "y"],
        width: 640,
        height: 480,
        file_size_bytes: 10,
        source_dataset: "coco",
        model_name: "m",
        model_type: "t",
        embedding_type: "image",
        taken: new Temporal("date", "2024-02-29"),
        big: 2n ** 70n,
        nested: new Map<PickleValue, PickleValue>([[1, [null, Number.NaN, Uint8Array.of(1, 2)]]]),
        array: new NumpyArray("int64", [2], BigInt64Array.of(1n, 2n)),
      }),
    ).toEqual({
      imagePath: "a/b.JPEG",
      description: "A cat.",
      tags: ["x", "y"],
      width: 640,
      height: 480,
      fileSizeBytes: 10,
      format: "jpg",
      sourceDataset: "coco",
      modelName: "m",
      modelType: "t",
      embeddingType: "image",
      other: {
        taken: "2024-02-29",
        big: String(2n ** 70n),
        nested: { "1": [null, null, "AQI="] },
        array: [1, 2],
      },
    });
  });

  test("other names, plurals, and what is said once", () => {
    expect(
      read(
        { filenames: "a.png", captions: "A dog.", widths: 5, model: "own" },
        { model_name: "shared", dataset: "d" },
      ),
    ).toMatchObject({
      imagePath: "a.png",
      description: "A dog.",
      width: 5,
      modelName: "own",
      sourceDataset: "d",
      format: "png",
    });
  });

  test("the first of several captions; tags in one text, a set or an array", () => {
    expect(read({ path: "a", captions: ["one", "two"] }).description).toBe("one");
    expect(read({ path: "a", tags: "x, y,,z " }).tags).toEqual(["x", "y", "z"]);
    expect(read({ path: "a", tags: new Set(["x"]) }).tags).toEqual(["x"]);
    expect(read({ path: "a", tags: new NumpyArray("str", [1], ["x"]) }).tags).toEqual(["x"]);
  });

  test("what is None, NaN or not there is not there", () => {
    expect(read({ path: "a", width: null, height: Number.NaN, description: null })).toMatchObject({
      description: "",
      tags: [],
      width: undefined,
      height: undefined,
      format: "",
      sourceDataset: "set",
    });
  });

  test("Python 2's bytes are UTF-8", () => {
    expect(read({ path: new Uint8Array(Buffer.from("ë.jpg")) }).imagePath).toBe("ë.jpg");
  });
});

test.each<[string, Record<string, PickleValue>, string]>([
  ["no path", { description: "x" }, "it has no image_path"],
  ["a path that is a number", { path: 5 }, "its image_path is no text"],
  ["a long path", { path: "a".repeat(501) }, "its image_path has more than 500 characters"],
  ["a path with a NUL", { path: "a\0" }, "its image_path has characters that no database stores"],
  ["a path that is no Unicode", { path: "a\udc80" }, "its image_path has characters that no database stores"],
  ["bytes that are no text", { path: Uint8Array.of(255) }, "its image_path is not UTF-8"],
  ["a long description", { path: "a", text: "é".repeat(600_000) }, "its description has more than 1 MiB"],
  ["no tags", { path: "a", tags: 5 }, "its tags are no list"],
  ["many tags", { path: "a", tags: Array.from({ length: 101 }, String) }, "it has more than 100 tags"],
  ["a width of none", { path: "a", width: 0 }, "its width is no integer from 1 to 2147483647"],
  ["a width and a half", { path: "a", width: 1.5 }, "its width is no integer from 1 to 2147483647"],
  ["a large width", { path: "a", width: 2n ** 63n }, "its width is no integer from 1 to 2147483647"],
  ["a long format", { path: "a", format: "jpeg2000000" }, "its format has more than 10 characters"],
  ["much else", { path: "a", x: "x".repeat(600_000) }, "its other fields have more than 512 KiB"],
  [
    "many values",
    { path: "a", x: Array.from({ length: 100_001 }, () => 1) },
    "its other fields have too many values",
  ],
])("%s: %#", (_name, fields, message) => {
  expect(() => read(fields)).toThrow(new BadRecord(message));
});

test("any record is an image, or is refused by a reason", () => {
  const value = fc.letrec<{ value: PickleValue }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<PickleValue>(null, true, 0, -1, 1.5, Number.NaN, 2n ** 80n),
      fc.string({ unit: "binary" }),
      fc.uint8Array({ maxLength: 4 }),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.array(tie("value"), { maxLength: 2 }).map((items) => new Set(items)),
      fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 2 }).map((pairs) => new Map(pairs)),
    ),
  })).value;
  const names = fc.constantFrom("image_path", "path", "tags", "width", "description", "format", "x");
  const property = fc.property(fc.array(fc.tuple(names, value), { maxLength: 5 }), (entries) => {
    try {
      const record = imageRecordOf(new Map(entries), new Map(), "set");
      expect(record.imagePath.length).toBeGreaterThan(0);
      expect(JSON.parse(JSON.stringify(record.other))).toEqual(record.other);
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error;
    }
  });
  expect(fc.check(property, { numRuns: 2_000 })).toMatchObject({ failed: false });
}, 60_000);
