import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { messageOf } from "@kindred/errors";
import { Complex, NumpyArray, readPickle, Temporal, type PickleValue } from "../src/index.ts";

// What Python's own pickle wrote, in each of its protocols; make-fixtures.py has the values.

const { values } = JSON.parse(readFileSync(new URL("fixtures.json", import.meta.url), "utf8")) as {
  values: Record<string, string[]>;
};
const PROTOCOLS = [0, 1, 2, 3, 4, 5];
const bytesOf = (name: string, protocol: number): Uint8Array =>
  Buffer.from(values[name]?.[protocol] ?? "", "base64");
const read = (name: string, protocol: number): PickleValue => readPickle(bytesOf(name, protocol));
const bytes = (...numbers: number[]): Uint8Array => Uint8Array.from(numbers);
const all256 = Uint8Array.from({ length: 256 }, (_, i) => i);

const shared = ["coco", "val2017"];
const temporal = (kind: Temporal["kind"], text: string): Temporal => new Temporal(kind, text);
const array = (dtype: string, shape: number[], data: NumpyArray["data"]): NumpyArray =>
  new NumpyArray(dtype, shape, data);

const EXPECTED: Record<string, unknown> = {
  scalars: [null, true, false, 0, -1, 255, 65_535, 2 ** 31 - 1, -(2 ** 31), 2 ** 53 - 1, 0.5, -1e300],
  big_integers: [2n ** 53n, -(2n ** 53n), 2n ** 63n, -(2n ** 63n), 10n ** 100n, -(10n ** 700n)],
  floats: [Infinity, -Infinity, NaN, -0, 1e-320],
  texts: [
    "",
    "plain",
    "Zoë ☂ 𝄞",
    "line\nbreak \\u0041 'q' \"d\"",
    "a".repeat(300),
    "\ufeffbom",
    "bad\udc80name",
  ],
  bytes: [bytes(), Uint8Array.from(Buffer.from("plain")), all256, new Uint8Array(300).fill(255)],
  bytearray: [bytes(), bytes(0, 0x80, 0xff)],
  containers: new Map<unknown, unknown>([
    ["list", [1, [2, []]]],
    ["tuple", [1, [2, []], 3, 4, 5]],
    [7, new Map()],
    [null, "none"],
    [[1, 2], "pair"],
  ]),
  long_list: Array.from({ length: 1_050 }, (_, i) => i),
  long_dict: new Map(Array.from({ length: 1_050 }, (_, i) => [i, String(i)])),
  sets: [new Set(), new Set([1, 2, 3]), new Set(), new Set(["a", "b"]), new Set([new Set([1])])],
  ordered: new Map<string, unknown>([
    ["z", 1],
    ["a", new Map()],
  ]),
  complex: new Complex(1.5, -2),
  shared: [shared, shared],
  records: [0, 1, 2].map(
    (i) =>
      new Map<string, unknown>([
        ["image_path", `p/${i}.jpg`],
        ["tags", shared],
        ["width", 640 + i],
      ]),
  ),
  datetimes: [
    temporal("datetime", "2024-02-29T12:34:56.000789"),
    temporal("datetime", "2024-01-01T00:00:00"),
    temporal("datetime", "0001-01-01T00:00:00+00:00"),
    temporal("datetime", "9999-12-31T23:59:59.999999-05:30"),
    temporal("datetime", "2024-10-27T02:30:00"),
    temporal("date", "2024-02-29"),
    temporal("time", "23:59:01.000005"),
    temporal("time", "01:00:00+00:00:19"),
    temporal("timedelta", "P-1DT5.250000S"),
    temporal("timezone", "+00:00"),
  ],
  numpy_scalars: [
    -5,
    2n ** 64n - 1n,
    -128,
    0.5,
    1.5,
    1e300,
    true,
    "Zoë",
    bytes(0x61, 0x62),
    temporal("datetime64", "2024-02-29T12:00:00.000001"),
    temporal("datetime64", "1969-12-31"),
    temporal("datetime64", "2024-05-01"),
    null,
    temporal("timedelta64", "-3 h"),
  ],
};

function refusalOf(part: Uint8Array): string {
  try {
    readPickle(part);
    return "read";
  } catch (error) {
    return messageOf(error);
  }
}

describe.each(PROTOCOLS)("protocol %i", (protocol) => {
  test.each(Object.keys(EXPECTED))("%s", (name) => {
    // Sets come in the order of Python's hashes.
    expect(read(name, protocol)).toEqual(EXPECTED[name]);
  });

  test("what stands in two places is one object", () => {
    const [one, other] = read("shared", protocol) as PickleValue[];
    expect(one).toBe(other);
  });

  test("numpy arrays", () => {
    const arrays = read("numpy_arrays", protocol) as Map<string, NumpyArray>;
    const small = [0, 1, 2, 100];
    const wide = small.map(BigInt);
    const fortran = array(
      "int32",
      [2, 3, 4],
      Int32Array.from({ length: 24 }, (_, i) => i),
    );
    const single = array("float32", [1], Float32Array.of(1.5));
    expect(Object.fromEntries(arrays)).toEqual({
      i1: array("int8", [4], Int8Array.from(small)),
      i2: array("int16", [4], Int16Array.from(small)),
      i4: array("int32", [4], Int32Array.from(small)),
      i8: array("int64", [4], BigInt64Array.from(wide)),
      u1: array("uint8", [4], Uint8Array.from(small)),
      u2: array("uint16", [4], Uint16Array.from(small)),
      u4: array("uint32", [4], Uint32Array.from(small)),
      u8: array("uint64", [4], BigUint64Array.from(wide)),
      f2: array("float16", [4], Float16Array.from(small)),
      f4: array("float32", [4], Float32Array.from(small)),
      f8: array("float64", [4], Float64Array.from(small)),
      ">i2": array("int16", [4], Int16Array.from(small)),
      ">i4": array("int32", [4], Int32Array.from(small)),
      ">i8": array("int64", [4], BigInt64Array.from(wide)),
      ">f4": array("float32", [4], Float32Array.from(small)),
      ">f8": array("float64", [4], Float64Array.from(small)),
      bool: array("bool", [3], Uint8Array.of(1, 0, 1)),
      str: array("str", [4], ["a", "Zoë", "", "𝄞x"]),
      ">str": array("str", [2], ["ab", "c"]),
      bytes: array("bytes", [3], [bytes(0x61), bytes(), bytes(0x61, 0, 0x62)]),
      object: array("object", [4], [null, "x", 1, ["y"]]),
      time: array("datetime64[ms]", [2], BigInt64Array.of(1_709_208_000_500n, -(2n ** 63n))),
      span: array("timedelta64[s]", [2], BigInt64Array.of(5n, -5n)),
      empty: array("float32", [0, 384], new Float32Array()),
      matrix: array(
        "int32",
        [2, 3],
        Int32Array.from({ length: 6 }, (_, i) => i),
      ),
      fortran,
      slice: array("int32", [4], Int32Array.of(0, 3, 6, 9)),
      no_dimension: array("int32", [], Int32Array.of(7)),
      twice: [single, single],
    });
    expect([0, 1, 2].map((i) => arrays.get("bool")?.item(i))).toEqual([true, false, true]);
    expect(arrays.get("time")?.item(0)).toEqual(temporal("datetime64", "2024-02-29T12:00:00.500"));
    expect(arrays.get("time")?.item(1)).toBeNull();
    expect(arrays.get("u8")?.item(3)).toBe(100);
    expect(() => arrays.get("matrix")?.item(6)).toThrow(RangeError);
  });

  test("numpy before 2.0 has other names for its modules", () => {
    const text = Buffer.from(bytesOf("numpy_arrays", protocol)).toString("latin1");
    const older = Buffer.from(
      text
        .replaceAll("cnumpy._core.", "cnumpy.core.")
        .replaceAll("\x8c\x16numpy._core.multiarray", "\x8c\x15numpy.core.multiarray")
        .replaceAll("\x8c\x13numpy._core.numeric", "\x8c\x12numpy.core.numeric"),
      "latin1",
    );
    expect(older.includes("numpy.core.")).toBe(true);
    // PROTO, FRAME and the length of the frame, which is the rest of it.
    if (protocol >= 4) older.writeBigUInt64LE(BigInt(older.length - 11), 3);
    expect(readPickle(older)).toEqual(read("numpy_arrays", protocol));
  });

  test.each([
    ["refused_class", /names __main__\.Custom at byte \d+.*nothing of it was run/],
    ["refused_function", /names (builtins|__builtin__)\.print at byte \d+/],
    ["refused_defaultdict", /names collections\.defaultdict at byte \d+/],
    ["refused_path", /names pathlib\.PurePosixPath at byte \d+/],
    ["refused_complex_array", /numpy arrays of complex numbers are not read/],
    ["refused_records", /numpy arrays of records .* are not read/],
    ["refused_dtype", /a numpy dtype, and no data/],
    ["refused_recursive", /contains itself/],
  ])("%s", (name, message) => {
    expect(() => read(name, protocol)).toThrow(message);
  });

  test("cut anywhere, it is refused", () => {
    const wholes = ["records", "datetimes", "numpy_scalars", "sets"].map((name) => bytesOf(name, protocol));
    const refusals = wholes.flatMap((whole) =>
      Array.from(whole, (_byte, length) => refusalOf(whole.subarray(0, length))),
    );
    expect(refusals.length).toBeGreaterThan(500);
    expect(refusals.filter((message) => !/cut short|damaged/.test(message))).toEqual([]);
  }, 60_000);

  test("bytes that follow are refused", () => {
    const whole = bytesOf("records", protocol);
    expect(() => readPickle(Buffer.concat([whole, whole]))).toThrow(/several pickles/);
  });
});
