import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { NPY_HEADER_BYTES, npyHeader } from "./npy.ts";
import { openVectorFile, vectorFormat } from "./vector-file.ts";
import { float32Text, vectorJson } from "./vector-json.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-vectors-"));
});
afterEach(() => {
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true });
});

const ROWS = [
  {
    texts: ["a", 'b "quoted"\u2028'],
    first: 0,
    vectors: new Float32Array([1, 0.1, -2.5, 3e-20, 0, 7]),
    dimensions: 3,
  },
  { texts: ["c"], first: 2, vectors: new Float32Array([4, 5, 6]), dimensions: 3 },
];
const VALUES = new Float32Array([1, 0.1, -2.5, 3e-20, 0, 7, 4, 5, 6]);

async function written(name: string, options = { withText: false }): Promise<Buffer> {
  const path = join(folder, name);
  await using file = await openVectorFile(path, vectorFormat(path, options));
  for (const rows of ROWS) await file.write(rows);
  expect(existsSync(path)).toBe(false);
  const bytes = await file.complete(3, 3);
  const content = readFileSync(path);
  expect(content).toHaveLength(bytes);
  expect(readdirSync(folder).filter((other) => other.endsWith(".part"))).toEqual([]);
  return content;
}

function littleEndian(values: Float32Array): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeFloatLE(value, 4 * i);
  return bytes;
}

describe("formats", () => {
  test(".f32 is the numbers and nothing else", async () => {
    expect(await written("v.f32")).toEqual(littleEndian(VALUES));
  });

  test(".npy is NumPy's format 1.0", async () => {
    const content = await written("v.NPY");
    expect(content.subarray(0, 8)).toEqual(Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]));
    const headerEnd = 10 + content.readUInt16LE(8);
    expect(headerEnd % 64).toBe(0);
    expect(content.subarray(10, headerEnd).toString("latin1")).toMatch(
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(3, 3\), \} *\n$/,
    );
    expect(content.subarray(headerEnd)).toEqual(littleEndian(VALUES));
  });

  test("any number of rows has room in the header of .npy", () => {
    const header = Buffer.from(npyHeader(Number.MAX_SAFE_INTEGER, 65_536));
    expect(header).toHaveLength(NPY_HEADER_BYTES);
    expect(header.toString("latin1")).toMatch(/\(9007199254740991, 65536\), \} *\n$/);
  });

  test(".jsonl is a line for each vector, with the text where it is wanted", async () => {
    const plain = (await written("v.jsonl")).toString();
    expect(plain.split("\n").at(-1)).toBe("");
    const read = plain
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { index: number; vector: number[] });
    expect(read.map((line) => Object.keys(line))).toEqual([0, 1, 2].map(() => ["index", "vector"]));
    expect(read.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(new Float32Array(read.flatMap(({ vector }) => vector))).toEqual(VALUES);
    const lines = (await written("w.ndjson", { withText: true })).toString().trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { text: string }).text)).toEqual([
      "a",
      'b "quoted"\u2028',
      "c",
    ]);
  });

  test.each(["v.csv", "v", "v.npz", ".npy"])("%s is refused", (name) => {
    expect(() => vectorFormat(name, { withText: false })).toThrow(
      expect.objectContaining({ exitCode: 2, remedy: expect.stringContaining(".npy (NumPy, float32)") }),
    );
  });
});

test("numbers in JSON are read back as the same float32, and are shorter than those of a double", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(Math.fround(JSON.parse(float32Text(value)) as number) === value).toBe(true);
    }),
  );
  expect(vectorJson(new Float32Array([0.1, -0.25, 1, 0]))).toBe("[0.100000001,-0.25,1,0]");
});

describe("a file that is not completed", () => {
  test("leaves nothing, and what was there before", async () => {
    const path = join(folder, "v.npy");
    writeFileSync(path, "before");
    {
      await using file = await openVectorFile(path, vectorFormat(path, { withText: false }));
      await file.write(ROWS[0] as (typeof ROWS)[number]);
      expect(readdirSync(folder)).toHaveLength(2);
    }
    expect(readdirSync(folder)).toEqual(["v.npy"]);
    expect(readFileSync(path, "utf8")).toBe("before");
  });

  test("cannot be begun in a folder that is not there", async () => {
    const path = join(folder, "no/v.npy");
    await expect(openVectorFile(path, vectorFormat(path, { withText: false }))).rejects.toMatchObject({
      exitCode: 73,
      message: `${path} cannot be written: there is no such folder.`,
    });
  });

  test("whose place is taken by a folder is not completed", async () => {
    const path = join(folder, "v.f32");
    mkdirSync(path);
    {
      await using file = await openVectorFile(path, vectorFormat(path, { withText: false }));
      await expect(file.complete(0, 0)).rejects.toMatchObject({
        exitCode: 73,
        message: `${path} cannot be written: it is a folder.`,
      });
    }
    expect(readdirSync(folder)).toEqual(["v.f32"]);
  });
});
