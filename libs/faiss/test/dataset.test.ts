import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { describeWithSharedData, faissIndexFile, pickleFile, type Picklable } from "@kindred/testing";
import { listFaissDatasets, openFaissDataset } from "../src/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-dataset-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const VECTORS = [
  [1, 0],
  [0, 1],
  [3, 4],
];

function dataset(name: string, index: Uint8Array | undefined, metadata: Uint8Array | undefined): string {
  const path = join(folder, name);
  mkdirSync(path);
  if (index) writeFileSync(join(path, "faiss_index.bin"), index);
  if (metadata) writeFileSync(join(path, "metadata.pkl"), metadata);
  return path;
}

const RECORDS: Picklable = ["a", "b", "c"].map((path) => ({ path }));

test("rows have the vector, the id and the record", async () => {
  const index = faissIndexFile({ dimensions: 2, vectors: VECTORS, ids: [7, 5, 6] });
  const columns = { ids: [5, 6, 7], path: ["five", "six", "seven"], model: "m" };
  await using opened = await openFaissDataset(dataset("d", index, pickleFile(columns)));
  expect(opened).toMatchObject({
    name: "d",
    matching: 'by the ids in "ids"',
    index: { dimensions: 2, count: 3, hasIds: true, metric: "inner-product" },
    metadata: { shape: "dict of columns", shared: new Map([["model", "m"]]) },
  });
  const batches = await Array.fromAsync(opened.rows({ rows: 2 }));
  expect(batches.map((rows) => rows.length)).toEqual([2, 1]);
  expect(
    batches.flat().map(({ position, id, fields, vector }) => [position, id, fields.get("path"), [...vector]]),
  ).toEqual([
    [0, 7n, "seven", [1, 0]],
    [1, 5n, "five", [0, 1]],
    [2, 6n, "six", [3, 4]],
  ]);
});

test("a signal ends it", async () => {
  const index = faissIndexFile({ dimensions: 2, vectors: VECTORS });
  await using opened = await openFaissDataset(dataset("d", index, pickleFile(RECORDS)));
  const reason = new Error("enough");
  await expect(Array.fromAsync(opened.rows({ signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
});

test("the data sets of a folder", async () => {
  const index = faissIndexFile({ dimensions: 2, vectors: VECTORS });
  const metadata = pickleFile(RECORDS);
  dataset("two", index, metadata);
  dataset("one", index, undefined);
  dataset("other", undefined, undefined);
  writeFileSync(join(folder, "file"), "");
  expect(await listFaissDatasets(folder)).toEqual([
    {
      name: "one",
      path: join(folder, "one"),
      missing: ["metadata.pkl"],
      indexBytes: index.length,
      metadataBytes: 0,
    },
    {
      name: "two",
      path: join(folder, "two"),
      missing: [],
      indexBytes: index.length,
      metadataBytes: metadata.length,
    },
  ]);
  expect((await listFaissDatasets(join(folder, "two"))).map(({ name }) => name)).toEqual(["two"]);
  await expect(listFaissDatasets(join(folder, "none"))).rejects.toMatchObject({ kind: "not-found" });
  await expect(listFaissDatasets(join(folder, "file"))).rejects.toMatchObject({
    kind: "failed-precondition",
  });
});

test.each<[string, Uint8Array | undefined, Uint8Array | undefined, string, RegExp]>([
  [
    "no-metadata",
    faissIndexFile({ dimensions: 2, vectors: VECTORS }),
    undefined,
    "not-found",
    /metadata\.pkl/,
  ],
  ["no-index", undefined, pickleFile(RECORDS), "not-found", /faiss_index\.bin/],
  [
    "no-pickle",
    faissIndexFile({ dimensions: 2, vectors: VECTORS }),
    Buffer.from("{}"),
    "data-loss",
    /metadata\.pkl: /,
  ],
  [
    "no-records",
    faissIndexFile({ dimensions: 2, vectors: VECTORS }),
    pickleFile(5),
    "data-loss",
    /metadata\.pkl: .*none of the shapes/,
  ],
  [
    "too-few",
    faissIndexFile({ dimensions: 2, vectors: VECTORS }),
    pickleFile([{ path: "a" }]),
    "data-loss",
    /3 vectors and the metadata 1 records/,
  ],
  [
    "hostile",
    faissIndexFile({ dimensions: 2, vectors: VECTORS }),
    Buffer.from("cposix\nsystem\n(Vtouch PWNED_BY_PICKLE\ntR."),
    "failed-precondition",
    /metadata\.pkl: the pickle names posix\.system at byte 0/,
  ],
  [
    "cut",
    faissIndexFile({ dimensions: 2, vectors: VECTORS }).subarray(0, 50),
    pickleFile(RECORDS),
    "data-loss",
    /faiss_index\.bin/,
  ],
])("%s is refused", async (name, index, metadata, kind, message) => {
  const opened = openFaissDataset(dataset(name, index, metadata));
  await expect(opened).rejects.toMatchObject({ kind, message: expect.stringMatching(message) });
});

test("vectors beside the records have as many dimensions as those of the index", async () => {
  const array =
    "cnumpy.core.numeric\n_frombuffer\n(C\x0caaaabbbbddddcnumpy\ndtype\n(Vf4\nI00\nI01\ntR(I3\nI1\ntVC\ntR";
  const metadata = Buffer.from(`}(Vpath\n(Va\nVb\nVc\nlVembeddings\n${array}u.`, "latin1");
  const index = faissIndexFile({ dimensions: 2, vectors: VECTORS });
  await expect(openFaissDataset(dataset("d", index, metadata))).rejects.toMatchObject({
    kind: "data-loss",
    message: expect.stringMatching(/vectors of 2 dimensions, and "embeddings" in the metadata of 1/),
  });
});

describeWithSharedData("faiss", "the shared data sets", (shared) => {
  test.each([
    ["coco_dataset", 1_000, "by position", 0n, "data/coco/val2017/000000000139.jpg"],
    ["coco_idmap", 400, 'by the ids in "ids"', 119_365n, "data/coco/val2017/000000119365.jpg"],
  ])("%s", async (name, count, matching, id, path) => {
    await using opened = await openFaissDataset(join(shared, name));
    expect(opened.matching).toBe(matching);
    const rows = (await Array.fromAsync(opened.rows())).flat();
    expect(rows).toHaveLength(count);
    expect(rows[0]?.id).toBe(id);
    expect(rows[0]?.fields.get("image_path") ?? rows[0]?.fields.get("image_paths")).toBe(path);
    // MiniLM's vectors have the length 1.
    for (const { vector } of rows) expect(Math.hypot(...vector)).toBeCloseTo(1, 4);
  });

  test.each([
    ["broken_count_mismatch", "data-loss"],
    ["broken_hostile_pickle", "failed-precondition"],
    ["broken_truncated", "data-loss"],
  ])("%s is refused", async (name, kind) => {
    await expect(openFaissDataset(join(shared, name))).rejects.toMatchObject({ kind });
  });
});
