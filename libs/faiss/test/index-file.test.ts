import { copyFile, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openFaissIndex } from "@kindred/faiss";
import { describeWithSharedData, temporaryFolder } from "@kindred/testing";
import { fixture, FIXTURES, REFUSED, type Fixture } from "./fixtures.ts";
import { readAll } from "./read-all.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

/** FAISS's own result of 8 bits depends on the processor in the last bit; everything else is exact. */
const ROUNDED = 2 ** -22;

describe("what FAISS wrote is read as FAISS reads it", () => {
  test.each([...FIXTURES.keys()])("%s", async (name) => {
    const { path, expected } = FIXTURES.get(name) as Fixture;
    for (const rows of [7, undefined]) {
      const { index, ids, vectors, sizes } = await readAll(path, rows === undefined ? {} : { rows });
      const { count, dimensions, metric } = expected;
      expect(index).toMatchObject({ count, dimensions, metric, hasIds: expected.ids !== null });
      const positions = Array.from({ length: count }, (_, i) => BigInt(i));
      expect(ids).toEqual(expected.ids?.map(BigInt) ?? positions);
      expect(vectors.length).toBe(count * dimensions);
      const tolerance = /QT_8bit(_uniform)?\)/.test(index.kind) ? ROUNDED : 0;
      const far = vectors.findIndex((x, i) => !(Math.abs(x - (expected.vectors[i] as number)) <= tolerance));
      expect(far === -1 ? "equal" : `number ${far} is ${vectors[far]}, not ${expected.vectors[far]}`).toBe(
        "equal",
      );
      const step = rows ?? Math.max(count, 1);
      expect(sizes).toEqual(
        Array.from({ length: Math.ceil(count / step) }, (_, i) => Math.min(step, count - i * step)),
      );
    }
  });

  test.each([
    ["flat-ip", "IndexFlatIP", undefined],
    ["idmap2-flat-l2", "IndexIDMap2(IndexFlatL2)", undefined],
    ["idmap-ivf-flat", "IndexIDMap(IndexIVFFlat)", undefined],
    ["hnsw-flat-l2", "IndexHNSWFlat", undefined],
    ["hnsw-sq8", "IndexHNSWSQ(IndexScalarQuantizer(QT_8bit))", expect.stringContaining("8 bits")],
    ["idmap-sq-fp16", "IndexIDMap(IndexScalarQuantizer(QT_fp16))", expect.stringContaining("16 bits")],
    ["ivf-sq-8bit-residual", "IndexIVFScalarQuantizer(QT_8bit)", expect.stringContaining("8 bits")],
  ])("%s is %s", async (name, kind, approximate) => {
    await using index = await openFaissIndex(fixture(name));
    expect(index).toMatchObject({ kind, approximate });
  });

  test("as earlier versions of FAISS wrote it", async () => {
    // IwSQ: residuals always, where IwSq says in a byte before the lists whether they are.
    const residual = await readFile(fixture("ivf-sq-8bit-residual"));
    const flag = residual.indexOf("ilar") - 1;
    const earlier = Buffer.concat([residual.subarray(0, flag), residual.subarray(flag + 1)]);
    earlier.write("IwSQ");
    const { vectors } = await readAll(await written("IwSQ", earlier));
    expect(vectors).toEqual((await readAll(fixture("ivf-sq-8bit-residual"))).vectors);
    // IxFl: its metric is in the header alone.
    for (const name of ["flat-ip", "flat-l2"]) {
      const flat = await readFile(fixture(name));
      flat.write("IxFl");
      const { index, ...rows } = await readAll(await written("IxFl", flat));
      const { index: today, ...expected } = await readAll(fixture(name));
      expect([index.kind, rows]).toEqual([today.kind, expected]);
    }
  });

  test("batches share no memory", async () => {
    for (const name of ["flat-l2", "ivf-flat", "idmap-sq-fp16"]) {
      await using index = await openFaissIndex(fixture(name));
      const buffers: ArrayBufferLike[] = [];
      for await (const { vectors, ids } of index.batches({ rows: 20 }))
        buffers.push(vectors.buffer, ids.buffer);
      expect(new Set(buffers).size).toBe(6);
    }
  });
});

describe("kinds that are not read are refused by name, with what to do", () => {
  const HELD: Record<string, string> = {
    "idmap-pq": "IndexPQ inside IndexIDMap",
    "idmap-sq-6bit": "vectors scalar-quantised as QT_6bit",
    "sq-4bit": "vectors scalar-quantised as QT_4bit",
    refine: "IndexRefine",
    "on-disk": "OnDiskInvertedLists inside IndexIVFFlat",
    "ivf-without-lists": "an IndexIVF without its lists inside IndexIVFFlat",
    "ivf-multi-index": "MultiIndexQuantizer inside the coarse quantiser of IndexIVFFlat",
  };

  test.each([...REFUSED.keys()])("%s", async (name) => {
    const { path, className } = REFUSED.get(name) as { path: string; className: string };
    const error = await failure(path);
    expect(error).toMatchObject({ name: "KindredError", kind: "unimplemented" });
    expect(error.message).toContain(
      name === "flat-l1" ? "by the metric L1" : `${path} holds ${HELD[name] ?? className}`,
    );
    expect(error.message).toMatch(/python3 -c "import faiss|embed the originals again|write the index anew/);
  });

  test("a compressed index inside another keeps its ids when it is rewritten", async () => {
    expect((await failure((REFUSED.get("idmap-pq") as { path: string }).path)).message).toContain("i.id_map");
    expect((await failure((REFUSED.get("ivf-pq-ids") as { path: string }).path)).message).toContain(
      "DirectMap.Hashtable",
    );
    expect((await failure((REFUSED.get("pq") as { path: string }).path)).message).toContain(
      "f.add(i.reconstruct_n(0, i.ntotal))",
    );
  });

  test("a path that a shell would take apart is not put into the command", async () => {
    const path = join(folder.path, "an'; rm -rf $HOME.bin");
    await copyFile((REFUSED.get("pq") as { path: string }).path, path);
    expect((await failure(path)).message).toContain("faiss.read_index('faiss_index.bin')");
  });

  test("a kind that is not known yet", async () => {
    const path = await written("unknown", Buffer.from("IxZZ and more"));
    expect(await failure(path)).toMatchObject({
      kind: "unimplemented",
      message: expect.stringContaining('"IxZZ", a kind of index that Kindred does not know'),
    });
  });
});

describe("what is no index, or not all of it", () => {
  test("another file", async () => {
    const path = await written("pickle", Buffer.from([0x80, 0x04, 0x95, 0x10, 0, 0]));
    expect(await failure(path)).toMatchObject({
      kind: "data-loss",
      message: `${path} is not a FAISS index: it begins with "....".`,
    });
  });

  test("nothing", async () => {
    expect(await failure(await written("empty", Buffer.alloc(0)))).toMatchObject({
      kind: "data-loss",
      message: expect.stringContaining("4 bytes of the kind of the index should follow at byte 0"),
    });
  });

  test("no file, and a folder", async () => {
    expect(await failure(join(folder.path, "none.bin"))).toMatchObject({ kind: "not-found" });
    expect(await failure(folder.path)).toMatchObject({ kind: "failed-precondition" });
  });

  test.each(["idmap2-flat-l2", "ivf-flat-hashtable", "ivf-sq-fp16-residual-ids"])(
    "%s, cut at every byte",
    async (name) => {
      const path = join(folder.path, `${name}-cut.bin`);
      await copyFile(fixture(name), path);
      const { length } = await readFile(path);
      const kinds = new Set<string | undefined>();
      for (let size = length - 1; size >= 0; size--) {
        await truncate(path, size);
        kinds.add((await failure(path)).kind);
      }
      expect([...kinds]).toEqual(["data-loss"]);
    },
    60_000,
  );

  test("with more behind its end", async () => {
    for (const name of ["flat-ip", "idmap-hnsw-flat", "ivf-flat", "sq-8bit"]) {
      const path = await written(name, Buffer.concat([await readFile(fixture(name)), Buffer.from([0])]));
      expect(await failure(path)).toMatchObject({
        kind: "data-loss",
        message: expect.stringMatching(/ends at byte \d+, and 1 follow/),
      });
    }
  });

  test("a file that becomes shorter while it is read", async () => {
    const path = join(folder.path, "shrinks.bin");
    await copyFile(fixture("flat-l2"), path);
    await using index = await openFaissIndex(path);
    const batches = index.batches({ rows: 10 });
    expect((await batches.next()).value?.first).toBe(0);
    await truncate(path, 400);
    await expect(batches.next()).rejects.toMatchObject({
      kind: "data-loss",
      message: expect.stringContaining("something writes to it"),
    });
  });

  test("indexes inside each other without an end", async () => {
    const map = (await readFile(fixture("idmap-flat-ip"))).subarray(0, 37);
    const path = await written("nested", Buffer.concat(Array.from({ length: 10_000 }, () => map)));
    expect(await failure(path)).toMatchObject({
      kind: "data-loss",
      message: expect.stringContaining("more than 6 deep"),
    });
  });

  test("fields that contradict each other", async () => {
    const contradictions: [name: string, at: number, bytes: number[], message: string][] = [
      ["flat-ip", 4, [9, 0, 0, 0], "60 vectors of 9 dimensions are 540 numbers, not 480"],
      ["flat-ip", 4, [0, 0, 0, 0], "cannot have 0 dimensions"],
      ["flat-ip", 8, [61], "61 vectors of 8 dimensions"],
      ["flat-ip", 33, [1], "IxFI cannot have the metric l2"],
      ["flat-ip", 33, [99], "cannot have the metric 99"],
      ["flat-ip", 32, [2], "must be 0 or 1, is 2"],
      ["flat-ip", 15, [0xff], "cannot be 18"],
      ["idmap-flat-ip", 8, [59], "the count of IndexIDMap is 59, that of IndexFlatIP in it 60"],
      ["hnsw-flat-l2", 8, [61], "for 61 vectors"],
      ["ivf-flat", 37, [6], "the index has 6 with 32"],
      [
        "ivf-flat",
        8,
        [61],
        "IndexIVFFlat counts 61 vectors, and its lists have 60. FAISS leaves out vectors with NaN",
      ],
      ["ivf-flat", 8, [59], "IndexIVFFlat counts 59 vectors, and its lists have 60"],
    ];
    for (const [name, at, bytes, message] of contradictions) {
      const content = await readFile(fixture(name));
      content.set(bytes, at);
      expect(await failure(await written(name, content))).toMatchObject({
        kind: "data-loss",
        message: expect.stringContaining(message),
      });
    }
  });

  test("ids in the lists of an index that must have positions there", async () => {
    const content = await readFile(fixture("idmap-ivf-flat"));
    // Behind the lists are the length of the map and 60 ids; the last of the lists' own ids is before them.
    content.writeBigInt64LE(1000n, content.length - 61 * 8 - 8);
    expect(await failure(await written("foreign", content))).toMatchObject({
      kind: "data-loss",
      message: expect.stringContaining("IndexIDMap(IndexIVFFlat) needs ids of 0 to 59 in its lists"),
    });
  });
});

describe("reading", () => {
  test("stops when its signal is aborted", async () => {
    for (const name of ["flat-l2", "ivf-flat"]) {
      await using index = await openFaissIndex(fixture(name));
      const stop = new AbortController();
      const batches = index.batches({ rows: 60, signal: stop.signal });
      stop.abort(new Error("enough"));
      await expect(batches.next()).rejects.toThrow("enough");
    }
  });

  test("needs a number of rows", async () => {
    await using index = await openFaissIndex(fixture("flat-l2"));
    for (const rows of [0, -1, 1.5, Number.NaN])
      await expect(index.batches({ rows }).next()).rejects.toMatchObject({ kind: "invalid-argument" });
  });

  test("can be done more than once, and at once", async () => {
    await using index = await openFaissIndex(fixture("ivf-flat-ids"));
    const [a, b] = await Promise.all(
      [index.batches({ rows: 9 }), index.batches({ rows: 9 })].map((batches) => Array.fromAsync(batches)),
    );
    expect(a).toEqual(b);
    expect(a).toHaveLength(7);
  });
});

describeWithSharedData("faiss", "the shared indexes", (data) => {
  test.each([
    ["coco_dataset", "IndexFlatIP", 1000, 1],
    ["coco_idmap", "IndexIDMap(IndexFlatL2)", 400, undefined],
    ["broken_count_mismatch", "IndexFlatIP", 10, undefined],
  ])("%s", async (name, kind, count, norm) => {
    const { index, ids, vectors } = await readAll(join(data, name, "faiss_index.bin"));
    expect(index).toMatchObject({ kind, count, dimensions: 384 });
    expect(new Set(ids).size).toBe(count);
    if (norm === undefined) return;
    for (let row = 0; row < count; row++) {
      const vector = vectors.subarray(row * 384, (row + 1) * 384);
      expect(Math.hypot(...vector)).toBeCloseTo(norm, 5);
    }
  });

  test("broken_truncated", async () => {
    expect(await failure(join(data, "broken_truncated", "faiss_index.bin"))).toMatchObject({
      kind: "data-loss",
      message: expect.stringContaining("15360 bytes of the vectors should follow at byte 45"),
    });
  });
});

async function written(name: string, content: Uint8Array): Promise<string> {
  const path = join(folder.path, `${name}.bin`);
  await writeFile(path, content);
  return path;
}

async function failure(path: string): Promise<Error & { kind?: string }> {
  try {
    await using index = await openFaissIndex(path);
    return new Error(`${index.kind} was opened`);
  } catch (error) {
    return error as Error;
  }
}
