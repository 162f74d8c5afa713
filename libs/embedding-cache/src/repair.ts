import { open, type FileHandle } from "node:fs/promises";
import { KindredError } from "@kindred/errors";
import { syncFolder } from "@kindred/process";
import {
  BLOCK_HEADER_BYTES,
  encodeBlockHeader,
  encodeMark,
  encodeSegmentHeader,
  refuseBigEndian,
  type BlockHeader,
  type SegmentHeader,
} from "./format.ts";
import { findHeader, readIds, readRecords, type SegmentFile } from "./scan-segment.ts";
import {
  createSegment,
  listSegments,
  readSegmentHeader,
  refuseForeign,
  removeUnfinished,
  segmentPath,
} from "./segments.ts";
import { onDisk, writeFully } from "./storage.ts";
import { holdCache } from "./writer.ts";

export interface CacheRepair {
  /**
   * What was given up, in the order of the files; records in it are no longer cached. Without bytes where the end of a
   * segment, or all of it, is missing. Empty when nothing was damaged.
   */
  dropped: { path: string; offset: number; bytes: number }[];
}

/**
 * Makes a damaged cache usable again: every block is read and checked, and what cannot be believed is covered by a mark that
 * it is void, in place. Everything else stays where it is, so noted positions hold; what is lost can be embedded and appended anew.
 * Killed at any moment, it can be run again.
 * @throws KindredError failed-precondition when another process writes into the cache; not-found when there is none; data-loss
 *   when no segment says what the cache holds
 */
export async function repairEmbeddingCache(folder: string): Promise<CacheRepair> {
  return await onDisk(`repair the embedding cache ${folder}`, async () => {
    refuseBigEndian();
    const numbers = await listSegments(folder);
    const last = numbers.at(-1);
    if (last === undefined) throw new KindredError("not-found", `there is no embedding cache in ${folder}`);
    await using stack = new AsyncDisposableStack();
    stack.use(await holdCache(folder));
    await removeUnfinished(folder);
    const model = await anyHeader(folder, numbers);
    const dropped: CacheRepair["dropped"] = [];
    for (let segment = 1; segment <= last; segment++) {
      const path = segmentPath(folder, segment);
      const header = { ...model, segment };
      if (!numbers.includes(segment)) {
        const { handle } = await createSegment(folder, header);
        await handle.close();
      }
      await using handle = await open(path, "r+");
      const places = await repairSegment(
        { path, handle, header, size: (await handle.stat()).size },
        segment < last,
      );
      dropped.push(...places.map((place) => ({ path, ...place })));
    }
    await syncFolder(folder);
    return { dropped };
  });
}

/** All segments of a cache have the same header but for their numbers. */
async function anyHeader(folder: string, numbers: readonly number[]): Promise<SegmentHeader> {
  let found: SegmentHeader | undefined;
  for (const segment of numbers) {
    const path = segmentPath(folder, segment);
    await using handle = await open(path, "r");
    const header = await readSegmentHeader(handle, path);
    if ("fault" in header) continue;
    found ??= header;
    refuseForeign(path, header, found);
  }
  if (found) return found;
  throw new KindredError(
    "data-loss",
    `no segment in ${folder} has a header that says what it holds: put a copy in its place, or delete the folder and embed again`,
  );
}

interface Gap {
  offset: number;
  bytes: number;
}

async function repairSegment(file: SegmentFile, hasSuccessor: boolean): Promise<Gap[]> {
  const { handle, header, path } = file;
  const gaps: Gap[] = [];
  const found = await readSegmentHeader(handle, path);
  if ("fault" in found || found.segment !== header.segment) {
    await writeFully(handle, [encodeSegmentHeader(header)], 0);
    gaps.push({ offset: 0, bytes: header.bytes });
  }
  const size = Math.max(file.size, header.bytes);
  const whole = { ...file, size };
  let offset = header.bytes;
  let sealed = false;
  while (offset < size && !sealed) {
    const block = await wholeBlock(whole, offset);
    if (block) {
      offset += block.bytes;
      sealed = block.kind === "seal";
      continue;
    }
    const end = await endOfDamage(whole, offset);
    if (end === undefined) break;
    await coverUp(handle, header.segment, offset, end - offset);
    gaps.push({ offset, bytes: end - offset });
    offset = end;
  }
  if (offset < size) {
    await handle.truncate(offset);
    gaps.push({ offset, bytes: size - offset });
  }
  await handle.sync();
  if (sealed || (gaps.length === 0 && !hasSuccessor)) return gaps;
  // From here on damage is damage again, and no torn end.
  const kind = hasSuccessor ? "seal" : "checkpoint";
  await writeFully(handle, [encodeMark(kind, header.segment, offset)], offset);
  await handle.sync();
  return hasSuccessor && gaps.length === 0 ? [{ offset, bytes: 0 }] : gaps;
}

async function wholeBlock(file: SegmentFile, offset: number): Promise<BlockHeader | undefined> {
  const block = await readIds(file, offset);
  if (block?.kind === "records" && !(await readRecords(file, block))) return undefined;
  return block;
}

/** Where the next block begins; undefined when nothing that can be believed follows. */
async function endOfDamage(file: SegmentFile, offset: number): Promise<number | undefined> {
  const next = await findHeader(file, offset + BLOCK_HEADER_BYTES, ["records", "checkpoint", "seal", "void"]);
  return next?.offset;
}

async function coverUp(handle: FileHandle, segment: number, offset: number, bytes: number): Promise<void> {
  const header = { kind: "void", segment, offset, bytes, count: 0, idsCrc: 0, vectorsCrc: 0 } as const;
  await writeFully(handle, [encodeBlockHeader(header)], offset);
}
