import { open, readdir, rename, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { KindredError } from "@kindred/errors";
import { syncFolder } from "@kindred/process";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_MAX_BYTES,
  type SegmentFault,
  type SegmentHeader,
} from "./format.ts";
import { readFully, writeFully } from "./storage.ts";

const SEGMENT = /^segment-(\d{6,9})\.emb$/;
const UNFINISHED = /^segment-\d{6,9}\.emb\.new$/;

/** Held by who writes. */
export const LOCK = "writer.lock";

export const segmentName = (segment: number): string => `segment-${String(segment).padStart(6, "0")}.emb`;
export const segmentPath = (folder: string, segment: number): string => join(folder, segmentName(segment));

/** What anybody can do about damage, for the end of a message. */
export const REMEDY =
  "Put a copy of the file in its place, or repair the cache: that drops what is damaged, to be embedded again";

export function damaged(path: string, what: string, options?: { cause?: unknown }): KindredError {
  return new KindredError("data-loss", `${path} ${what}. ${REMEDY}.`, options);
}

/** Numbers of the segments, ascending. */
export async function listSegments(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names
    .flatMap((name) => SEGMENT.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** @throws KindredError data-loss when one between 1 and the last is missing */
export function refuseMissing(folder: string, segments: readonly number[]): void {
  const missing = segments.findIndex((segment, i) => segment !== i + 1);
  if (missing >= 0) throw damaged(segmentPath(folder, missing + 1), "is missing, later segments are there");
}

/** Removes what was never put in place; only for who holds the cache. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (UNFINISHED.test(name)) await rm(join(folder, name), { force: true });
  }
}

/**
 * Makes a segment without blocks. It is there with its whole header, synced, or not at all.
 * @returns the handle, open for reading and writing
 */
export async function createSegment(
  folder: string,
  header: Omit<SegmentHeader, "bytes">,
): Promise<{ handle: FileHandle; bytes: number }> {
  const path = segmentPath(folder, header.segment);
  const unfinished = `${path}.new`;
  const encoded = encodeSegmentHeader(header);
  const handle = await open(unfinished, "w+");
  try {
    await writeFully(handle, [encoded], 0);
    await handle.sync();
    await rename(unfinished, path);
    await syncFolder(folder);
    return { handle, bytes: encoded.length };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * @returns what is wrong, when it is no header that can be believed
 * @throws KindredError unimplemented for a version of the format that this code does not know
 */
export async function readSegmentHeader(
  handle: FileHandle,
  path: string,
): Promise<SegmentHeader | SegmentFault> {
  const start = Buffer.alloc(SEGMENT_HEADER_MAX_BYTES);
  const header = decodeSegmentHeader(start.subarray(0, await readFully(handle, start, 0)));
  if (!("fault" in header) || header.version === undefined) return header;
  throw new KindredError("unimplemented", `${path} ${header.fault} of the format: it needs a later Kindred`);
}

/** @throws KindredError data-loss for a segment that another cache's writer made */
export function refuseForeign(path: string, header: SegmentHeader, first: SegmentHeader): void {
  if (header.cacheId === first.cacheId) return;
  throw new KindredError(
    "data-loss",
    `${path} belongs to another embedding cache than the segments before it: put it back into its own folder`,
  );
}
