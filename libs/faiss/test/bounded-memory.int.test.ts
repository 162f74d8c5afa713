import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { temporaryFolder } from "@kindred/testing";

const PROCESS = fileURLToPath(new URL("read-index-process.ts", import.meta.url));
const DIMENSIONS = 128;
const ROW_BYTES = DIMENSIONS * 4;
const COUNT = 1_200_000;
/** Vectors that are marked by their id; the file has holes for all others, so that it takes next to no room on the disk. */
const MARKED = Array.from({ length: 100 }, (_, i) => 11_003 + i * 11_003);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

test("a flat index of 586 MiB is read with less than 160", async () => {
  const path = join(folder.path, "flat.bin");
  await using file = await open(path, "w");
  await file.write(Buffer.concat([header("IxF2", COUNT), uint64(COUNT * DIMENSIONS)]));
  const at = header("IxF2", COUNT).length + 8;
  for (const id of MARKED) await file.write(float32(id), 0, 4, at + id * ROW_BYTES);
  await file.truncate(at + COUNT * ROW_BYTES);
  const { rows, marked, extraMib } = await readInProcess(path);
  expect({ rows, marked }).toEqual({ rows: COUNT, marked: MARKED });
  expect(extraMib).toBeLessThan(160);
}, 120_000);

test("inverted lists of 595 MiB are read in the order of ids with less than 288", async () => {
  const path = join(folder.path, "ivf.bin");
  const lists = 1000;
  const each = COUNT / lists;
  const start = Buffer.concat([
    header("IwFl", COUNT),
    uint64(lists),
    uint64(1),
    header("IxF2", lists),
    uint64(lists * DIMENSIONS),
    Buffer.alloc(lists * ROW_BYTES),
    Buffer.of(0), // no direct map
    uint64(0),
    Buffer.from("ilar"),
    uint64(lists),
    uint64(ROW_BYTES),
    Buffer.from("full"),
    uint64(lists),
    ...Array.from({ length: lists }, () => uint64(each)),
  ]);
  await using file = await open(path, "w");
  await file.write(start);
  // The vectors with ids l, l + lists, l + 2 lists... are in list l: neighbours by id are far from each other.
  const listAt = (list: number): number => start.length + list * each * (ROW_BYTES + 8);
  for (let list = 0; list < lists; list++) {
    const ids = BigInt64Array.from({ length: each }, (_, i) => BigInt(i * lists + list));
    await file.write(ids, 0, ids.byteLength, listAt(list) + each * ROW_BYTES);
  }
  for (const id of MARKED)
    await file.write(float32(id), 0, 4, listAt(id % lists) + Math.floor(id / lists) * ROW_BYTES);
  const { rows, marked, extraMib } = await readInProcess(path);
  expect({ rows, marked }).toEqual({ rows: COUNT, marked: MARKED });
  expect(extraMib).toBeLessThan(288);
}, 120_000);

async function readInProcess(path: string): Promise<{ rows: number; marked: number[]; extraMib: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    PROCESS,
    path,
  ]);
  const { peakMib, baseMib, ...found } = JSON.parse(stdout) as {
    rows: number;
    marked: number[];
    peakMib: number;
    baseMib: number;
  };
  return { ...found, extraMib: peakMib - baseMib };
}

function header(fourcc: string, count: number): Buffer {
  const dimensions = Buffer.alloc(4);
  dimensions.writeInt32LE(DIMENSIONS);
  const metric = Buffer.of(1, 0, 0, 0);
  return Buffer.concat([
    Buffer.from(fourcc),
    dimensions,
    uint64(count),
    uint64(1 << 20),
    uint64(1 << 20),
    Buffer.of(1),
    metric,
  ]);
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
