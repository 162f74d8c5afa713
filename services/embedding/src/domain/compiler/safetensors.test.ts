import { describe, expect, test } from "@jest/globals";
import { openTensors, readFloats, readSafetensorsIndex, type ByteSource } from "./safetensors.ts";

function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: async (offset, length) => {
      if (offset + length > bytes.length) throw new RangeError("read past the end");
      return new Uint8Array(bytes.slice(offset, offset + length));
    },
  };
}

/** A file with the given header (an object, or text as it is) and data. */
function fileOf(header: unknown, data: Uint8Array = new Uint8Array(0), headerBytes?: bigint): ByteSource {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, headerBytes ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return sourceOf(bytes);
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** A header with one good tensor, but for the given fields. */
const entry = (fields: object) => ({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4], ...fields } });

describe("a well-formed file", () => {
  const source = fileOf(
    {
      __metadata__: { format: "pt" },
      second: { dtype: "F32", shape: [2], data_offsets: [16, 24] },
      first: { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] },
      none: { dtype: "F32", shape: [0, 3], data_offsets: [16, 16] },
    },
    floats(1, 2, 3, 4, 5, 6),
  );

  test("gives its tensors by name, whatever their order", async () => {
    expect((await readSafetensorsIndex(source)).metadata).toEqual({ format: "pt" });
    const store = await openTensors([source]);
    expect([...(await readFloats(store, "first", [2, 2]))]).toEqual([1, 2, 3, 4]);
    expect([...(await readFloats(store, "second", [2]))]).toEqual([5, 6]);
    expect(await readFloats(store, "none", [0, 3])).toHaveLength(0);
  });

  test.each([
    ["third", [2], /third is missing/],
    ["first", [4], /first is F32 \[2, 2\], expected F32 or F16 or BF16 \[4\]/],
  ])("asked for %s %j it says what is wrong", async (name, shape, message) => {
    await expect(readFloats(await openTensors([source]), name, shape)).rejects.toThrow(message);
  });
});

describe("16-bit floats", () => {
  const oneTensor = (dtype: string, ...halves: number[]) =>
    fileOf(
      { a: { dtype, shape: [halves.length], data_offsets: [0, 2 * halves.length] } },
      new Uint8Array(Uint16Array.from(halves).buffer),
    );
  const read = async (source: ByteSource, size: number) => [
    ...(await readFloats(await openTensors([source]), "a", [size])),
  ];

  test("F16: one, the largest, the smallest normal and subnormal, minus zero", async () => {
    const values = await read(oneTensor("F16", 0x3c00, 0x7bff, 0x0400, 0x0001, 0x8000), 5);
    expect(values).toEqual([1, 65_504, 2 ** -14, 2 ** -24, -0]);
  });

  test("BF16: one, the largest, the smallest subnormal, a negative", async () => {
    const values = await read(oneTensor("BF16", 0x3f80, 0x7f7f, 0x0001, 0xc0a0), 4);
    expect(values).toEqual([1, 2 ** 127 * (2 - 2 ** -7), 2 ** -133, -5]);
  });

  test.each([
    ["F16", 0x7c00],
    ["BF16", 0x7fc0],
  ])("%s %i is no finite number and is refused", async (dtype, half) => {
    await expect(read(oneTensor(dtype, half), 1)).rejects.toThrow("tensor a has elements that are no finite");
  });
});

test("a tensor of another type is refused", async () => {
  const source = fileOf({ a: { dtype: "I16", shape: [2], data_offsets: [0, 4] } }, new Uint8Array(4));
  await expect(readFloats(await openTensors([source]), "a", [2])).rejects.toThrow(
    "a is I16 [2], expected F32 or F16 or BF16 [2]",
  );
});

describe("weights in several files", () => {
  const part = (name: string, value: number) =>
    fileOf({ [name]: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, floats(value));

  test("are found wherever they are", async () => {
    const store = await openTensors([part("a", 1), part("b", 2)]);
    expect([...(await readFloats(store, "b", [1]))]).toEqual([2]);
  });

  test("are refused when two of them have the same tensor", async () => {
    await expect(openTensors([part("a", 1), part("a", 2)])).rejects.toThrow(
      "tensor a is in two of the files",
    );
  });
});

describe("a hostile or damaged file is refused", () => {
  const four = new Uint8Array(4);
  test.each<[string, ByteSource, RegExp]>([
    ["empty", sourceOf(new Uint8Array(0)), /has 0 bytes/],
    ["header longer than the file", fileOf("{}", four, 1_000_000n), /claims 1000000 bytes/],
    ["header of 2^63 bytes", fileOf("{}", four, 2n ** 63n), /claims 9223372036854775808 bytes/],
    ["header is not JSON", fileOf("{", four), /not JSON/],
    ["header is not UTF-8", fileOf("{}", four, 3n), /not JSON/],
    ["header is a list", fileOf([], four), /not an object/],
    ["metadata is no map", fileOf({ __metadata__: { a: 1 } }), /__metadata__/],
    ["entry is no object", fileOf({ a: 1 }, four), /not described by an object/],
    ["unknown type", fileOf(entry({ dtype: "F4" }), four), /unknown type "F4"/],
    ["type of the prototype", fileOf(entry({ dtype: "constructor" }), four), /unknown type/],
    ["negative dimension", fileOf(entry({ shape: [-1] }), four), /no proper shape/],
    ["fractional dimension", fileOf(entry({ shape: [0.5] }), four), /no proper shape/],
    ["overflowing shape", fileOf(entry({ shape: [2 ** 31, 2 ** 31, 2 ** 31] }), four), /needs/],
    ["offsets backwards", fileOf(entry({ data_offsets: [4, 0] }), four), /outside/],
    [
      "offsets past the end",
      fileOf(entry({ shape: [2], data_offsets: [0, 8] }), four),
      /outside the 4 bytes/,
    ],
    ["one offset", fileOf(entry({ data_offsets: [0] }), four), /data_offsets/],
    ["size does not fit", fileOf(entry({ shape: [2] }), four), /needs 8 bytes, has 4/],
    ["bytes left over", fileOf(entry({}), new Uint8Array(5)), /1 bytes at its end/],
    ["gap", fileOf(entry({ data_offsets: [4, 8] }), new Uint8Array(8)), /starts at byte 4, expected 0/],
    [
      "overlap",
      fileOf({ ...entry({}), b: { dtype: "F32", shape: [1], data_offsets: [2, 6] } }, new Uint8Array(6)),
      /starts at byte 2, expected 4/,
    ],
  ])("%s", async (_name, source, message) => {
    await expect(readSafetensorsIndex(source)).rejects.toMatchObject({
      kind: "data-loss",
      message: expect.stringMatching(message),
    });
  });
});
