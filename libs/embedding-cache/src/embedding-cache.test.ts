import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, jest, test } from "@jest/globals";
import { loadEmbeddings, maxCachedId, openEmbeddingCacheReader, openEmbeddingCacheWriter } from "./index.ts";
import {
  range,
  readAll,
  segmentsOf,
  SHAPE,
  SMALL,
  temporaryFolder,
  vectorsOf,
  writeCache,
} from "../test/caches.ts";

const numbers = (ids: Iterable<bigint>): number[] => [...ids].map(Number);

describe("writing and reading", () => {
  test("records come back in the order in which they were written, over blocks and segments", async () => {
    using folder = temporaryFolder();
    await writeCache(folder.path, 40);
    expect(await readAll(folder.path)).toEqual([...range(0, 40)]);
    expect(segmentsOf(folder.path).length).toBeGreaterThan(2);
    expect(await maxCachedId(folder.path)).toBe(39n);
  });

  test("a cache without records is one", async () => {
    using folder = temporaryFolder();
    await writeCache(folder.path, 0);
    expect(await readAll(folder.path)).toEqual([]);
    expect(await maxCachedId(folder.path)).toBeUndefined();
  });

  test("folders are made, and the next writer goes on where the last one ended", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "a", "b");
    for (let round = 0; round < 5; round++) {
      await using writer = await openEmbeddingCacheWriter(path, SHAPE, SMALL);
      expect(writer.cutBytes).toBe(0);
      expect(writer.ids.count).toBe(round * 4);
      await writer.append(range(round * 4, 4), vectorsOf(range(round * 4, 4)));
    }
    expect(await readAll(path)).toEqual([...range(0, 20)]);
  });

  test("any int64 is an id, and one append may fill many blocks", async () => {
    using folder = temporaryFolder();
    const ids = BigInt64Array.of(-(2n ** 63n), 7n, 2n ** 63n - 1n, 0n, -1n);
    const many = range(1000, 100);
    {
      await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE, SMALL);
      await writer.append(ids, vectorsOf(ids));
      await writer.append(many, vectorsOf(many));
      expect(numbers([writer.ids.max as bigint])).toEqual([2 ** 63]);
    }
    expect(await readAll(folder.path)).toEqual([...ids, ...many]);
  });

  test("what is appended at the same time is all there, and arrays may be used again", async () => {
    using folder = temporaryFolder();
    {
      await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE, SMALL);
      await Promise.all(
        Array.from({ length: 8 }, async (_, worker) => {
          const ids = new BigInt64Array(3);
          for (let round = 0; round < 10; round++) {
            ids.set(range(worker * 1000 + round * 3, 3));
            await writer.append(ids, vectorsOf(ids));
            ids.fill(-1n);
            if (round % 4 === worker % 4) await writer.checkpoint();
          }
        }),
      );
    }
    const expected = Array.from({ length: 8 }, (_, worker) => [...range(worker * 1000, 30)]).flat();
    expect((await readAll(folder.path)).toSorted((a, b) => Number(a - b))).toEqual(expected);
  });

  test("a checkpoint is seen by readers, what waits in memory is not", async () => {
    using folder = temporaryFolder();
    await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE, SMALL);
    await writer.append(range(0, 2), vectorsOf(range(0, 2)));
    expect(await readAll(folder.path)).toEqual([]);
    await writer.checkpoint();
    await writer.append(range(2, 2), vectorsOf(range(2, 2)));
    await using reader = await openEmbeddingCacheReader(folder.path);
    await writer.checkpoint();
    // As it was when it was opened.
    expect(numbers((await Array.fromAsync(reader.blocks())).flatMap((block) => [...block.ids]))).toEqual([
      0, 1,
    ]);
    expect(await readAll(folder.path)).toEqual([...range(0, 4)]);
  });

  test("reading goes on behind any position, also when more was written", async () => {
    using folder = temporaryFolder();
    await writeCache(folder.path, 40);
    await using reader = await openEmbeddingCacheReader(folder.path);
    const blocks = await Array.fromAsync(reader.blocks());
    expect(blocks.length).toBeGreaterThanOrEqual(10);
    {
      await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE, SMALL);
      await writer.append(range(40, 1), vectorsOf(range(40, 1)));
    }
    await using later = await openEmbeddingCacheReader(folder.path);
    for (const [i, { position }] of blocks.entries()) {
      const rest = await Array.fromAsync(later.blocks({ after: position }));
      expect(rest.flatMap(({ ids }) => [...ids])).toEqual([
        ...blocks.slice(i + 1).flatMap(({ ids }) => [...ids]),
        40n,
      ]);
    }
  });

  test.each([
    { segment: 1, offset: 100 },
    { segment: 1, offset: 1_000_000 },
    { segment: 99, offset: 64 },
    { segment: 0, offset: 0 },
  ])("the position $segment/$offset, which is of another cache, is refused", async (after) => {
    using folder = temporaryFolder();
    await writeCache(folder.path, 40);
    await using reader = await openEmbeddingCacheReader(folder.path);
    await expect(reader.blocks({ after }).next()).rejects.toMatchObject({ kind: "failed-precondition" });
  });

  test("reading ends when it is given up, or its reader is closed", async () => {
    using folder = temporaryFolder();
    await writeCache(folder.path, 40);
    const controller = new AbortController();
    await using reader = await openEmbeddingCacheReader(folder.path);
    const aborted = reader.blocks({ signal: controller.signal });
    await aborted.next();
    controller.abort();
    await expect(aborted.next()).rejects.toMatchObject({ name: "AbortError" });
    const closed = reader.blocks();
    await closed.next();
    await reader[Symbol.asyncDispose]();
    await expect(closed.next()).rejects.toMatchObject({ kind: "failed-precondition" });
  });

  test("of an id that was written twice, the later vector counts", async () => {
    // Writers refuse this; a folder that was put together from two copies of a cache has it.
    using folder = temporaryFolder();
    using copy = temporaryFolder();
    const shape = { spaceId: "s", dimensions: 1 };
    const write = async (path: string, ids: bigint[], value: number): Promise<void> => {
      await using writer = await openEmbeddingCacheWriter(path, shape, { segmentBytes: 1 });
      await writer.append(BigInt64Array.from(ids), new Float32Array(ids.length).fill(value));
    };
    await write(folder.path, [0n, 1n, 2n], 1);
    cpSync(folder.path, copy.path, { recursive: true });
    await write(folder.path, [10n, 11n, 12n], 2);
    await write(folder.path, [20n], 2);
    await write(copy.path, [30n], 3);
    await write(copy.path, [12n, 10n, 13n], 3);
    cpSync(segmentsOf(copy.path)[2] as string, segmentsOf(folder.path)[2] as string);

    await using reader = await openEmbeddingCacheReader(folder.path);
    const records = (await Array.fromAsync(reader.blocks())).map((block) => [
      [...block.ids],
      [...block.vectors],
    ]);
    expect(records).toEqual([
      [
        [0n, 1n, 2n],
        [1, 1, 1],
      ],
      [[11n], [2]],
      [
        [12n, 10n, 13n],
        [3, 3, 3],
      ],
    ]);
    expect(reader.ids.count).toBe(7);
    const loaded = await loadEmbeddings(folder.path, { from: 10n });
    expect([...loaded.vectors]).toEqual([3, 2, 3, 3]);
  });
});

describe("loading", () => {
  test("vectors lie in the order of their ids", async () => {
    using folder = temporaryFolder();
    {
      await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE, SMALL);
      for (const first of [30, 10, 0, 20]) await writer.append(range(first, 7), vectorsOf(range(first, 7)));
    }
    const ids = [0, 10, 20, 30].flatMap((first) => [...range(first, 7)]);
    const all = await loadEmbeddings(folder.path);
    expect(all).toEqual({ shape: SHAPE, ids: BigInt64Array.from(ids), vectors: vectorsOf(ids) });
    const some = await loadEmbeddings(folder.path, { from: 4n, to: 21n });
    const wanted = ids.filter((id) => id >= 4n && id <= 21n);
    expect(some).toEqual({ shape: SHAPE, ids: BigInt64Array.from(wanted), vectors: vectorsOf(wanted) });
    expect((await loadEmbeddings(folder.path, { from: 100n })).ids.length).toBe(0);
    expect((await loadEmbeddings(folder.path, { from: 5n, to: 4n })).ids.length).toBe(0);
  });
});

describe("refused", () => {
  test("a second writer, until the first one has closed", async () => {
    using folder = temporaryFolder();
    {
      await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE);
      await expect(openEmbeddingCacheWriter(folder.path, SHAPE)).rejects.toMatchObject({
        kind: "failed-precondition",
        message: expect.stringContaining(`process ${process.pid}`),
      });
      await writer.append(range(0, 1), vectorsOf(range(0, 1)));
    }
    await (await openEmbeddingCacheWriter(folder.path, SHAPE))[Symbol.asyncDispose]();
  });

  test("no writer because of a lock that a killed one left behind", async () => {
    using folder = temporaryFolder();
    writeFileSync(
      join(folder.path, "writer.lock"),
      JSON.stringify({ pid: process.pid, startedAt: "another time" }),
    );
    await writeCache(folder.path, 5);
    expect(await readAll(folder.path)).toEqual([...range(0, 5)]);
    expect(existsSync(join(folder.path, "writer.lock"))).toBe(false);
  });

  test("ids that are there, or come twice; and then none of the append is taken", async () => {
    using folder = temporaryFolder();
    {
      await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE, SMALL);
      await writer.append(range(0, 5), vectorsOf(range(0, 5)));
      for (const ids of [BigInt64Array.of(9n, 4n), BigInt64Array.of(9n, 8n, 9n)]) {
        await expect(writer.append(ids, vectorsOf(ids))).rejects.toMatchObject({ kind: "already-exists" });
      }
      expect(writer.ids.count).toBe(5);
    }
    expect(await readAll(folder.path)).toEqual([...range(0, 5)]);
  });

  test.each([
    ["too few numbers", 2, new Float32Array(5), "vectors must have 2 x 3 numbers, has 5"],
    ["a NaN", 2, Float32Array.of(0, 0, 0, 0, Number.NaN, 0), "vector of id 1 must be finite, has NaN"],
    ["an infinity", 1, Float32Array.of(0, 0, -Infinity), "vector of id 0 must be finite, has -Infinity"],
  ])("vectors with %s", async (_, count, vectors, message) => {
    using folder = temporaryFolder();
    await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE);
    await expect(writer.append(range(0, count), vectors)).rejects.toMatchObject({
      kind: "invalid-argument",
      message,
    });
    expect(writer.ids.count).toBe(0);
  });

  test("another space or other dimensions than the cache has", async () => {
    using folder = temporaryFolder();
    await writeCache(folder.path, 5);
    for (const shape of [
      { ...SHAPE, dimensions: 4 },
      { ...SHAPE, spaceId: "another" },
    ]) {
      await expect(openEmbeddingCacheWriter(folder.path, shape)).rejects.toMatchObject({
        kind: "failed-precondition",
        message: expect.stringContaining("space minilm-l6-v2 with 3 dimensions"),
      });
    }
    // And the lock went with the refusal.
    await writeCache(folder.path, 0);
  });

  test("shapes and limits that nothing can be written with, all at once", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "cache");
    const opening = openEmbeddingCacheWriter(
      path,
      { spaceId: "", dimensions: 1.5 },
      { blockBytes: 0, segmentBytes: -1 },
    );
    await expect(opening).rejects.toMatchObject({
      kind: "invalid-argument",
      violations: ["spaceId", "dimensions", "blockBytes", "segmentBytes"].map((field) => ({
        field,
        description: expect.any(String),
      })),
    });
    expect(existsSync(path)).toBe(false);
  });

  test("use after closing", async () => {
    using folder = temporaryFolder();
    const writer = await openEmbeddingCacheWriter(folder.path, SHAPE);
    await writer[Symbol.asyncDispose]();
    await writer[Symbol.asyncDispose]();
    const refusal = { kind: "failed-precondition" };
    await expect(writer.append(range(0, 1), vectorsOf(range(0, 1)))).rejects.toMatchObject(refusal);
    await expect(writer.checkpoint()).rejects.toMatchObject(refusal);
  });

  test("reading where nothing is", async () => {
    using folder = temporaryFolder();
    for (const path of [folder.path, join(folder.path, "missing")]) {
      await expect(openEmbeddingCacheReader(path)).rejects.toMatchObject({ kind: "not-found" });
    }
  });

  test("a folder that is a file", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "file");
    writeFileSync(path, "");
    await expect(openEmbeddingCacheWriter(path, SHAPE)).rejects.toMatchObject({
      kind: "failed-precondition",
    });
    await expect(openEmbeddingCacheReader(path)).rejects.toMatchObject({ kind: "failed-precondition" });
  });
});

test("after a sync that failed nothing is promised any more, and the next writer finds what is there", async () => {
  using folder = temporaryFolder();
  // No disk can be had that fails to order; the file system's answer is put in its place.
  await using handle = await open(join(folder.path, "any"), "w");
  const fileHandle = Object.getPrototypeOf(handle) as { datasync: () => Promise<void> };
  const writer = await openEmbeddingCacheWriter(folder.path, SHAPE, SMALL);
  await writer.append(range(0, 4), vectorsOf(range(0, 4)));
  await writer.checkpoint();
  await writer.append(range(4, 4), vectorsOf(range(4, 4)));
  const datasync = jest
    .spyOn(fileHandle, "datasync")
    .mockRejectedValueOnce(Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" }));
  const failure = { kind: "data-loss", message: expect.stringContaining("the disk reports an error") };
  await expect(writer.checkpoint()).rejects.toMatchObject(failure);
  await expect(writer.checkpoint()).rejects.toMatchObject(failure);
  await expect(writer.append(range(8, 1), vectorsOf(range(8, 1)))).rejects.toMatchObject(failure);
  expect(datasync).toHaveBeenCalledTimes(1);
  datasync.mockRestore();
  await writer[Symbol.asyncDispose]();
  await using next = await openEmbeddingCacheWriter(folder.path, SHAPE, SMALL);
  expect(next.ids.count).toBe(8);
  expect(await readAll(folder.path)).toEqual([...range(0, 8)]);
});

test("files of others, and what was never put in place, are no segments", async () => {
  using folder = temporaryFolder();
  await writeCache(folder.path, 5);
  writeFileSync(join(folder.path, "upload.json"), "{}");
  writeFileSync(join(folder.path, "segment-000002.emb.new"), "half");
  mkdirSync(join(folder.path, "older"));
  await writeCache(folder.path, 0);
  expect(await readAll(folder.path)).toEqual([...range(0, 5)]);
  expect(existsSync(join(folder.path, "segment-000002.emb.new"))).toBe(false);
  expect(existsSync(join(folder.path, "upload.json"))).toBe(true);
});
