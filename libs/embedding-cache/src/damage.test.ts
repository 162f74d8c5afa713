import { cpSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import fc from "fast-check";
import { openEmbeddingCacheReader, openEmbeddingCacheWriter, repairEmbeddingCache } from "./index.ts";
import {
  range,
  readAll,
  segmentsOf,
  SHAPE,
  SMALL,
  temporaryFolder,
  vectorsOf,
  writeCache,
  writeKilled,
} from "../test/caches.ts";

const HEADER_BYTES = 64;
const MARK_BYTES = 48;
const FULL_BLOCK_BYTES = 128;

/** What reading gives: ids, or the error, which must be one that says where and what to do. */
async function outcome(folder: string): Promise<bigint[] | "data-loss"> {
  try {
    return await readAll(folder);
  } catch (error) {
    if (!isKindredError(error) || error.kind !== "data-loss") throw error;
    expect(error.message).toMatch(/segment-00000\d\.emb (is damaged in the block at byte \d+|has|does|is) /);
    expect(error.message).toMatch(/repair the cache/);
    return "data-loss";
  }
}

/** Opens for writing and goes on with an id of its own; says how many bytes were cut off. */
async function goOn(folder: string): Promise<number> {
  await using writer = await openEmbeddingCacheWriter(folder, SHAPE, SMALL);
  const count = writer.ids.count;
  await writer.append(range(1000, 1), vectorsOf(range(1000, 1)));
  expect(writer.ids.count).toBe(count + 1);
  return writer.cutBytes;
}

describe("the end of a file that was cut off at any byte", () => {
  test("of a killed writer: every whole block is read, the rest is cut off, and writing goes on", async () => {
    using written = temporaryFolder();
    await writeKilled(written.path, 4, 10);
    const [path] = segmentsOf(written.path) as [string];
    const size = statSync(path).size;
    const blocks = [FULL_BLOCK_BYTES, MARK_BYTES, FULL_BLOCK_BYTES, FULL_BLOCK_BYTES, 48 + 2 * 20];
    expect(size).toBe(HEADER_BYTES + blocks.reduce((sum, bytes) => sum + bytes));
    for (let length = HEADER_BYTES; length <= size; length++) {
      using folder = temporaryFolder();
      cpSync(written.path, folder.path, { recursive: true });
      truncateSync(segmentsOf(folder.path)[0] as string, length);

      let whole = HEADER_BYTES;
      let records = 0;
      for (const bytes of blocks) {
        if (whole + bytes > length) break;
        whole += bytes;
        records += bytes === MARK_BYTES ? 0 : Math.floor((bytes - 48) / 20);
      }
      expect(await readAll(folder.path)).toEqual([...range(0, records)]);
      expect(statSync(segmentsOf(folder.path)[0] as string).size).toBe(length);
      expect(await goOn(folder.path)).toBe(length - whole);
      expect(await readAll(folder.path)).toEqual([...range(0, records), 1000n]);
      expect((await repairEmbeddingCache(folder.path)).dropped).toEqual([]);
    }
  });

  test("within the header, which is never written half: it is damage", async () => {
    for (let length = 0; length < HEADER_BYTES; length++) {
      using folder = temporaryFolder();
      await writeCache(folder.path, 4);
      truncateSync(segmentsOf(folder.path)[0] as string, length);
      expect(await outcome(folder.path)).toBe("data-loss");
      await expect(goOn(folder.path)).rejects.toMatchObject({ kind: "data-loss" });
      expect(statSync(segmentsOf(folder.path)[0] as string).size).toBe(length);
    }
  });

  test("of a segment that others follow: it is damage", async () => {
    using written = temporaryFolder();
    await writeCache(written.path, 20);
    const size = statSync(segmentsOf(written.path)[0] as string).size;
    for (let length = HEADER_BYTES; length < size; length++) {
      using folder = temporaryFolder();
      cpSync(written.path, folder.path, { recursive: true });
      truncateSync(segmentsOf(folder.path)[0] as string, length);
      expect(await outcome(folder.path)).toBe("data-loss");
    }
  });
});

describe("any byte changed", () => {
  test("of what a checkpoint covers: reading says so or is right; repairing loses that block only", async () => {
    using written = temporaryFolder();
    await writeCache(written.path, 20);
    const original = await readAll(written.path);
    for (const [number, source] of segmentsOf(written.path).entries()) {
      const bytes = readFileSync(source);
      const isLast = number === segmentsOf(written.path).length - 1;
      for (let at = 0; at < bytes.length; at++) {
        using folder = temporaryFolder();
        cpSync(written.path, folder.path, { recursive: true });
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
        const path = segmentsOf(folder.path)[number] as string;
        writeFileSync(path, damaged);

        // The last mark may have been lost in a crash: without it nothing is missing.
        const inLastMark = isLast && at >= bytes.length - MARK_BYTES;
        expect(await outcome(folder.path)).toEqual(inLastMark ? original : "data-loss");
        const { dropped } = await repairEmbeddingCache(folder.path);
        expect(dropped.length).toBe(1);
        expect(dropped[0]?.path).toBe(path);
        const kept = await readAll(folder.path);
        expect(kept).toEqual(original.filter((id) => kept.includes(id)));
        expect(kept.length).toBeGreaterThanOrEqual(original.length - 4);
        expect((await repairEmbeddingCache(folder.path)).dropped).toEqual([]);
      }
    }
  }, 120_000);

  test("behind the last checkpoint: what is ahead of it is read, the rest is cut off", async () => {
    using written = temporaryFolder();
    await writeKilled(written.path, 4, 10);
    const [source] = segmentsOf(written.path) as [string];
    const bytes = readFileSync(source);
    for (let at = HEADER_BYTES + FULL_BLOCK_BYTES + MARK_BYTES; at < bytes.length; at++) {
      using folder = temporaryFolder();
      cpSync(written.path, folder.path, { recursive: true });
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 0xff;
      writeFileSync(segmentsOf(folder.path)[0] as string, damaged);
      const block = Math.floor((at - HEADER_BYTES - FULL_BLOCK_BYTES - MARK_BYTES) / FULL_BLOCK_BYTES);
      expect(await readAll(folder.path)).toEqual([...range(0, 4 + 4 * block)]);
      expect(await goOn(folder.path)).toBeGreaterThan(0);
      expect(await readAll(folder.path)).toEqual([...range(0, 4 + 4 * block), 1000n]);
    }
  });

  test("a machine that crashed wrote any pages behind the last checkpoint, or none: what it covers is there", async () => {
    using written = temporaryFolder();
    await writeKilled(written.path, 4, 10);
    const bytes = readFileSync(segmentsOf(written.path)[0] as string);
    const synced = HEADER_BYTES + FULL_BLOCK_BYTES;
    const hole = fc.tuple(
      fc.integer({ min: synced, max: bytes.length - 1 }),
      fc.integer({ min: 1, max: FULL_BLOCK_BYTES }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(hole, { maxLength: 3 }),
        fc.integer({ min: synced, max: bytes.length }),
        async (holes, length) => {
          using folder = temporaryFolder();
          cpSync(written.path, folder.path, { recursive: true });
          const left = Buffer.from(bytes);
          for (const [from, count] of holes) left.fill(0, from, Math.min(from + count, left.length));
          writeFileSync(segmentsOf(folder.path)[0] as string, left.subarray(0, length));
          const ids = await readAll(folder.path);
          expect(ids.length).toBeGreaterThanOrEqual(4);
          expect(ids).toEqual([...range(0, ids.length)]);
          await goOn(folder.path);
          expect(await readAll(folder.path)).toEqual([...ids, 1000n]);
        },
      ),
    );
  });
});

describe("a segment", () => {
  test("that is missing is named, and what it held can be written again after a repair", async () => {
    using folder = temporaryFolder();
    await writeCache(folder.path, 40);
    const path = segmentsOf(folder.path)[1] as string;
    rmSync(path);
    await expect(readAll(folder.path)).rejects.toMatchObject({
      kind: "data-loss",
      message: expect.stringContaining(`${path} is missing`),
    });
    await expect(openEmbeddingCacheWriter(folder.path, SHAPE)).rejects.toMatchObject({ kind: "data-loss" });
    expect(await repairEmbeddingCache(folder.path)).toEqual({
      dropped: [{ path, offset: HEADER_BYTES, bytes: 0 }],
    });
    const kept = await readAll(folder.path);
    const lost = [...range(0, 40)].filter((id) => !kept.includes(id));
    expect(lost.length).toBeGreaterThan(0);
    {
      await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE, SMALL);
      await writer.append(BigInt64Array.from(lost), vectorsOf(lost));
    }
    expect(await readAll(folder.path)).toEqual([...kept, ...lost]);
  });

  test("of another cache is refused, by a repair too", async () => {
    using folder = temporaryFolder();
    using other = temporaryFolder();
    await writeCache(folder.path, 40);
    await writeCache(other.path, 40);
    cpSync(segmentsOf(other.path)[1] as string, segmentsOf(folder.path)[1] as string);
    const refusal = {
      kind: "data-loss",
      message: expect.stringContaining("belongs to another embedding cache"),
    };
    await expect(readAll(folder.path)).rejects.toMatchObject(refusal);
    await expect(repairEmbeddingCache(folder.path)).rejects.toMatchObject(refusal);
  });

  test("under another's name is refused", async () => {
    using folder = temporaryFolder();
    await writeCache(folder.path, 40);
    cpSync(segmentsOf(folder.path)[0] as string, segmentsOf(folder.path)[1] as string);
    await expect(readAll(folder.path)).rejects.toMatchObject({
      kind: "data-loss",
      message: expect.stringContaining("is segment 1 under another's name"),
    });
  });

  test("with bytes behind its seal is refused until it is repaired", async () => {
    using folder = temporaryFolder();
    await writeCache(folder.path, 40);
    const path = segmentsOf(folder.path)[0] as string;
    const size = statSync(path).size;
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(10)]));
    expect(await outcome(folder.path)).toBe("data-loss");
    expect(await repairEmbeddingCache(folder.path)).toEqual({ dropped: [{ path, offset: size, bytes: 10 }] });
    expect(await readAll(folder.path)).toEqual([...range(0, 40)]);
  });
});

test("noted positions hold over a repair", async () => {
  using folder = temporaryFolder();
  await writeCache(folder.path, 40);
  const positions = await (async () => {
    await using reader = await openEmbeddingCacheReader(folder.path);
    return await Array.fromAsync(reader.blocks(), ({ position }) => position);
  })();
  const path = segmentsOf(folder.path)[0] as string;
  const bytes = readFileSync(path);
  // The header of the first block and that of the second one: one hole covers both.
  bytes.fill(0xff, HEADER_BYTES, HEADER_BYTES + FULL_BLOCK_BYTES + 8);
  writeFileSync(path, bytes);
  expect((await repairEmbeddingCache(folder.path)).dropped).toEqual([
    { path, offset: HEADER_BYTES, bytes: 2 * FULL_BLOCK_BYTES },
  ]);
  const kept = await readAll(folder.path);
  expect(kept).toEqual([...range(8, 32)]);
  await using reader = await openEmbeddingCacheReader(folder.path);
  for (const [i, position] of positions.entries()) {
    const rest = (await Array.fromAsync(reader.blocks({ after: position }))).flatMap(({ ids }) => [...ids]);
    expect(rest).toEqual(kept.slice(-(40 - 4 * (i + 1)) || 40));
  }
});

test("a repair is refused while somebody writes, and where nothing can be believed", async () => {
  using folder = temporaryFolder();
  await expect(repairEmbeddingCache(folder.path)).rejects.toMatchObject({ kind: "not-found" });
  {
    await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE);
    expect(writer.ids.count).toBe(0);
    await expect(repairEmbeddingCache(folder.path)).rejects.toMatchObject({ kind: "failed-precondition" });
  }
  writeFileSync(segmentsOf(folder.path)[0] as string, "nothing");
  await expect(repairEmbeddingCache(folder.path)).rejects.toMatchObject({ kind: "data-loss" });
});

test("a later version of the format is no damage", async () => {
  using folder = temporaryFolder();
  await writeCache(folder.path, 4);
  const path = segmentsOf(folder.path)[0] as string;
  const bytes = readFileSync(path);
  const { crc32 } = await import("node:zlib");
  bytes.writeUInt32LE(2, 8);
  bytes.writeUInt32LE(0, 44);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_BYTES)), 44);
  writeFileSync(path, bytes);
  for (const use of [readAll, repairEmbeddingCache, goOn]) {
    await expect(use(folder.path)).rejects.toMatchObject({
      kind: "unimplemented",
      message: expect.stringContaining("is of version 2"),
    });
  }
});
