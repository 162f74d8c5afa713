import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import {
  ALIGNMENT,
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  decodeBlockHeader,
  ID_BYTES,
  type BlockHeader,
  type BlockKind,
  type SegmentHeader,
} from "./format.ts";
import { damaged } from "./segments.ts";
import { readFully } from "./storage.ts";

/** Reads a block's header and most often its ids at once. */
const GLANCE_BYTES = 32 * 1024;
const SEARCH_BYTES = 1024 * 1024;

/** An open segment file. */
export interface SegmentFile {
  path: string;
  handle: FileHandle;
  header: SegmentHeader;
  /** How many of its bytes count: more may have been written since. */
  size: number;
}

/** A block of records, or what stands in place of damaged ones. */
export interface BlockPlace {
  kind: "records" | "void";
  offset: number;
  bytes: number;
}

export interface SegmentScan {
  /** In the order of the file. */
  blocks: BlockPlace[];
  /** Where whole blocks end; what lies behind was torn while it was written. */
  end: number;
  /** Nothing will follow in this segment. */
  sealed: boolean;
  /** Blocks of records lie behind the last checkpoint: they are whole, but perhaps not on the disk yet. */
  unmarked: boolean;
}

interface IdsOfBlock extends BlockHeader {
  ids: BigInt64Array;
}

/** The block at an offset with its ids, or undefined when either is not whole. Vectors are not looked at. */
export async function readIds(file: SegmentFile, offset: number): Promise<IdsOfBlock | undefined> {
  const glance = Buffer.from(new ArrayBuffer(Math.min(GLANCE_BYTES, file.size - offset)));
  const { dimensions } = file.header.shape;
  const got = glance.subarray(0, await readFully(file.handle, glance, offset));
  const header = decodeBlockHeader(got, { segment: file.header.segment, offset, dimensions });
  if (!header || offset + header.bytes > file.size) return undefined;
  const length = header.count * ID_BYTES;
  let ids = got.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + length);
  if (ids.length < length) {
    ids = Buffer.from(new ArrayBuffer(length));
    if ((await readFully(file.handle, ids, offset + BLOCK_HEADER_BYTES)) < length) return undefined;
  }
  if (crc32(ids) !== header.idsCrc) return undefined;
  return { ...header, ids: new BigInt64Array(ids.buffer, ids.byteOffset, header.count) };
}

/** A block of records wholly, or undefined when any of it is not as it was written. The arrays are the caller's. */
export async function readRecords(
  file: SegmentFile,
  { offset, bytes }: { offset: number; bytes: number },
): Promise<{ ids: BigInt64Array; vectors: Float32Array } | undefined> {
  const memory = new ArrayBuffer(bytes);
  const block = Buffer.from(memory);
  if ((await readFully(file.handle, block, offset)) < bytes) return undefined;
  const { segment, shape } = file.header;
  const header = decodeBlockHeader(block, { segment, offset, dimensions: shape.dimensions });
  if (!header || header.kind !== "records" || header.bytes !== bytes) return undefined;
  const vectorsAt = BLOCK_HEADER_BYTES + header.count * ID_BYTES;
  if (crc32(block.subarray(BLOCK_HEADER_BYTES, vectorsAt)) !== header.idsCrc) return undefined;
  if (crc32(block.subarray(vectorsAt)) !== header.vectorsCrc) return undefined;
  return {
    ids: new BigInt64Array(memory, BLOCK_HEADER_BYTES, header.count),
    vectors: new Float32Array(memory, vectorsAt, header.count * shape.dimensions),
  };
}

/** The first whole header of one of the kinds that begins at `from` or behind. */
export async function findHeader(
  file: SegmentFile,
  from: number,
  kinds: readonly BlockKind[],
): Promise<BlockHeader | undefined> {
  const { segment, shape } = file.header;
  const window = Buffer.alloc(SEARCH_BYTES);
  // Windows overlap by a header, so that each lies wholly in one of them.
  for (let start = from; start < file.size; start += SEARCH_BYTES - BLOCK_HEADER_BYTES) {
    const length = Math.min(SEARCH_BYTES, file.size - start);
    const part = window.subarray(0, await readFully(file.handle, window.subarray(0, length), start));
    for (let at = part.indexOf(BLOCK_MAGIC); at >= 0; at = part.indexOf(BLOCK_MAGIC, at + 1)) {
      const offset = start + at;
      if (offset % ALIGNMENT !== 0) continue;
      const header = decodeBlockHeader(part.subarray(at, at + BLOCK_HEADER_BYTES), {
        segment,
        offset,
        dimensions: shape.dimensions,
      });
      if (header && kinds.includes(header.kind) && offset + header.bytes <= file.size) return header;
    }
  }
  return undefined;
}

/**
 * Walks a segment from header to header. Ids are checked everywhere, vectors only behind the last checkpoint, where a crash
 * of the machine may have left blocks half written, in any order: what is behind the first such block was never promised to anybody.
 * @param onIds gets the ids of each block, in order
 * @throws KindredError data-loss for damage ahead of a checkpoint, which no crash explains
 */
export async function scanSegment(
  file: SegmentFile,
  onIds: (ids: BigInt64Array, block: BlockPlace) => void,
): Promise<SegmentScan> {
  const blocks: BlockPlace[] = [];
  let unsure: IdsOfBlock[] = [];
  let offset = file.header.bytes;
  let sealed = false;
  let bad: number | undefined;
  const accept = (block: IdsOfBlock): void => {
    const place: BlockPlace = {
      kind: block.kind === "void" ? "void" : "records",
      offset: block.offset,
      bytes: block.bytes,
    };
    blocks.push(place);
    if (place.kind === "records") onIds(block.ids, place);
  };

  while (offset < file.size && !sealed) {
    const block = await readIds(file, offset);
    if (!block) {
      bad = offset;
      break;
    }
    if (block.kind === "records" || block.kind === "void") unsure.push(block);
    else {
      for (const sure of unsure) accept(sure);
      unsure = [];
      sealed = block.kind === "seal";
    }
    offset += block.bytes;
  }
  if (sealed && offset < file.size) {
    throw damaged(file.path, `has ${file.size - offset} bytes behind its end at byte ${offset}`);
  }
  for (const block of unsure) {
    if (block.kind === "records" && !(await readRecords(file, block))) {
      bad = block.offset;
      break;
    }
    accept(block);
  }
  if (bad !== undefined && (await findHeader(file, bad + BLOCK_HEADER_BYTES, ["checkpoint", "seal"]))) {
    throw damaged(file.path, `is damaged in the block at byte ${bad}`);
  }
  return { blocks, end: bad ?? offset, sealed, unmarked: unsure.length > 0 };
}
