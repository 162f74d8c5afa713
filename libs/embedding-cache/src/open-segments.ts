import { open, type FileHandle } from "node:fs/promises";
import { refuseBigEndian } from "./format.ts";
import { RunSet } from "./run-set.ts";
import { scanSegment, type SegmentFile, type SegmentScan } from "./scan-segment.ts";
import {
  damaged,
  listSegments,
  readSegmentHeader,
  refuseForeign,
  refuseMissing,
  segmentPath,
} from "./segments.ts";
import type { CacheShape } from "./types.ts";

/** Where one record is. */
export interface RecordPlace {
  segment: number;
  offset: number;
  /** Within its block. */
  position: number;
}

export interface ScannedSegment extends SegmentScan {
  segment: number;
  path: string;
  /** How many bytes the file had. */
  size: number;
}

export interface ScannedCache {
  shape: CacheShape;
  cacheId: string;
  segments: ScannedSegment[];
  ids: RunSet;
  /** Of each id that was written more than once, which record counts: the last one. */
  latest: Map<bigint, RecordPlace>;
}

/** Opens a segment and believes its header. @throws KindredError data-loss when it cannot be believed */
export async function openSegment(path: string, segment: number, flags: "r" | "r+"): Promise<SegmentFile> {
  const handle = await open(path, flags);
  try {
    const { size } = await handle.stat();
    const header = await readSegmentHeader(handle, path);
    if ("fault" in header) throw damaged(path, header.fault);
    if (header.segment !== segment) throw damaged(path, `is segment ${header.segment} under another's name`);
    return { path, handle, header, size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Reads what is there: headers and ids of all blocks, and what was written since the last checkpoint wholly.
 * @param sync called with the last segment when it has blocks that may not be on the disk yet
 * @returns undefined when no segment is there
 */
export async function scanCache(
  folder: string,
  sync: (handle: FileHandle) => Promise<void>,
): Promise<ScannedCache | undefined> {
  refuseBigEndian();
  const numbers = await listSegments(folder);
  refuseMissing(folder, numbers);
  const ids = new RunSet();
  const latest = new Map<bigint, RecordPlace>();
  const segments: ScannedSegment[] = [];
  let first: SegmentFile["header"] | undefined;
  for (const segment of numbers) {
    const path = segmentPath(folder, segment);
    const file = await openSegment(path, segment, "r");
    try {
      first ??= file.header;
      refuseForeign(path, file.header, first);
      const scan = await scanSegment(file, (added, block) => {
        ids.addAll(added, (position) => {
          latest.set(added[position] as bigint, { segment, offset: block.offset, position });
        });
      });
      if (!scan.sealed && segment !== numbers.length) {
        throw damaged(path, `is cut off at byte ${scan.end}: later segments are there`);
      }
      if (scan.unmarked) await sync(file.handle);
      segments.push({ ...scan, segment, path, size: file.size });
    } finally {
      await file.handle.close();
    }
  }
  return first && { shape: first.shape, cacheId: first.cacheId, segments, ids, latest };
}

/** Records of the block that count; the same arrays when all of them do. */
export function withoutOverwritten(
  block: { ids: BigInt64Array; vectors: Float32Array },
  { segment, offset }: { segment: number; offset: number },
  { latest, shape: { dimensions } }: ScannedCache,
): { ids: BigInt64Array; vectors: Float32Array } {
  if (latest.size === 0) return block;
  const counts = (position: number): boolean => {
    const place = latest.get(block.ids[position] as bigint);
    return !place || (place.segment === segment && place.offset === offset && place.position === position);
  };
  const kept = [...block.ids.keys()].filter(counts);
  if (kept.length === block.ids.length) return block;
  const vectors = new Float32Array(kept.length * dimensions);
  kept.forEach((position, i) => {
    vectors.set(block.vectors.subarray(position * dimensions, (position + 1) * dimensions), i * dimensions);
  });
  return { ids: BigInt64Array.from(kept, (position) => block.ids[position] as bigint), vectors };
}
