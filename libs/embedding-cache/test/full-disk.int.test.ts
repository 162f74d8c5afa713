import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { messageOf } from "@kindred/errors";
import { openEmbeddingCacheWriter } from "../src/index.ts";
import { range, readAll, segmentsOf, SHAPE, temporaryFolder, vectorsOf } from "./caches.ts";

/** A file system of its own with so many bytes; undefined where this user may not make one. */
function smallDisk(bytes: number): (Disposable & { path: string }) | undefined {
  const folder = temporaryFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder.path], { stdio: "pipe" });
  } catch (error) {
    process.stderr.write(`not run: a full disk: no tmpfs can be mounted here: ${messageOf(error)}\n`);
    folder[Symbol.dispose]();
    return undefined;
  }
  return {
    path: folder.path,
    [Symbol.dispose]() {
      execFileSync("umount", [folder.path]);
      folder[Symbol.dispose]();
    },
  };
}

/** Leaves no byte. */
function fill(path: string): void {
  const { bavail, bsize } = statfsSync(path);
  writeFileSync(join(path, "filler"), Buffer.alloc(bavail * bsize));
}

const LIMITS = { blockBytes: 3000, segmentBytes: 20_000 };

test("a full disk is told of, nothing is lost, and writing goes on when there is room again", async () => {
  using disk = smallDisk(400_000);
  if (!disk) return;
  const folder = join(disk.path, "cache");
  let taken = 0;
  {
    await using writer = await openEmbeddingCacheWriter(folder, SHAPE, LIMITS);
    const appendUntilFull = async (): Promise<void> => {
      for (;;) {
        const ids = range(taken, 100);
        await writer.append(ids, vectorsOf(ids));
        taken += 100;
        if (taken % 300 === 0) await writer.checkpoint();
      }
    };
    const full = {
      kind: "resource-exhausted",
      message: expect.stringMatching(
        /cannot write the embedding cache .*: the disk is full: free some space/,
      ),
    };
    for (let round = 0; round < 4; round++) {
      // At another place within blocks and segments each time; once while a segment should be made.
      fill(disk.path);
      await expect(appendUntilFull()).rejects.toMatchObject(full);
      await expect(writer.checkpoint()).rejects.toMatchObject(full);
      expect(writer.ids.count).toBe(taken);
      const seen = await readAll(folder);
      expect(seen).toEqual([...range(0, seen.length)]);
      rmSync(join(disk.path, "filler"));
      const ids = range(taken, 270 + round * 130);
      await writer.append(ids, vectorsOf(ids));
      taken += ids.length;
      await writer.checkpoint();
      expect(await readAll(folder)).toEqual([...range(0, taken)]);
    }
    expect(segmentsOf(folder).length).toBeGreaterThan(1);
  }
  expect(await readAll(folder)).toEqual([...range(0, taken)]);
});

test("on a disk that is full already no cache is begun, and nothing is left lying about", async () => {
  using disk = smallDisk(200_000);
  if (!disk) return;
  const folder = join(disk.path, "cache");
  await (await openEmbeddingCacheWriter(folder, SHAPE, LIMITS))[Symbol.asyncDispose]();
  const before = readdirSync(folder);
  fill(disk.path);
  const opening = openEmbeddingCacheWriter(folder, SHAPE, LIMITS);
  await expect(opening).rejects.toMatchObject({ kind: "resource-exhausted" });
  expect(readdirSync(folder)).toEqual(before);
  expect(await readAll(folder)).toEqual([]);
});

test("who closes after a failed write hears of that one, and what was synced is there", async () => {
  using disk = smallDisk(200_000);
  if (!disk) return;
  const folder = join(disk.path, "cache");
  const writer = await openEmbeddingCacheWriter(folder, SHAPE, LIMITS);
  await writer.append(range(0, 10), vectorsOf(range(0, 10)));
  await writer.checkpoint();
  fill(disk.path);
  await writer.append(range(10, 5000), vectorsOf(range(10, 5000)));
  await expect(writer.checkpoint()).rejects.toMatchObject({ kind: "resource-exhausted" });
  await writer[Symbol.asyncDispose]();
  const seen = await readAll(folder);
  expect(seen.length).toBeGreaterThanOrEqual(10);
  expect(seen).toEqual([...range(0, seen.length)]);
});
