import { describe, expect, test } from "@jest/globals";
import { readFloat32, readSafetensorsIndex, type ByteSource } from "./safetensors.ts";

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
    const index = await readSafetensorsIndex(source);
    expect(index.metadata).toEqual({ format: "pt" });
    expect([...(await readFloat32(source, index, "first", [2, 2]))]).toEqual([1, 2, 3, 4]);
    expect([...(await readFloat32(source, index, "second", [2]))]).toEqual([5, 6]);
    expect(await readFloat32(source, index, "none", [0, 3])).toHaveLength(0);
  });

  test.each([
    ["third", [2], /third is missing/],
    ["first", [4], /first is F32 \[2, 2\], expected F32 \[4\]/],
  ])("asked for %s %j it says what is wrong", async (name, shape, message) => {
    const index = await readSafetensorsIndex(source);
    await expect(readFloat32(source, index, name, shape)).rejects.toThrow(message);
  });
});

test("a tensor of another type is refused", async () => {
  const source = fileOf({ a: { dtype: "F16", shape: [2], data_offsets: [0, 4] } }, new Uint8Array(4));
  const index = await readSafetensorsIndex(source);
  await expect(readFloat32(source, index, "a", [2])).rejects.toThrow("a is F16 [2], expected F32 [2]");
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
