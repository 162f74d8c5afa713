import { endianness } from "node:os";
import { crc32 } from "node:zlib";
import { KindredError } from "@kindred/errors";
import type { CacheShape } from "./types.ts";

// A segment is a header, and blocks behind it without gaps. All numbers are little-endian, everything begins at a multiple of 8.
//
// segment header           0 magic, 8 bytes       8 version u32     12 bytes of the header u32
//                         16 id of the cache      32 segment u32    36 dimensions u32
//                         40 bytes of space u32   44 CRC-32 of the header with zeros here
//                         48 space, UTF-8, then zeros
// block header             0 magic, 4 bytes       4 kind u32        8 segment u32         12 count u32
//                         16 offset u64          24 bytes of the block u64
//                         32 CRC-32 of the ids   36 CRC-32 of the vectors                 40 zeros
//                         44 CRC-32 of these 44 bytes
// then, of records         ids, count x i64; vectors, count x dimensions x f32; zeros up to a multiple of 8

const SEGMENT_MAGIC = Buffer.from("KNDEMB\r\n", "latin1");
const VERSION = 1;
export const SEGMENT_HEADER_MIN_BYTES = 48;
export const MAX_SPACE_BYTES = 1024;
export const SEGMENT_HEADER_MAX_BYTES = SEGMENT_HEADER_MIN_BYTES + MAX_SPACE_BYTES;
export const MAX_DIMENSIONS = 65_536;

export const BLOCK_MAGIC = Buffer.from("KBLK", "latin1");
export const BLOCK_HEADER_BYTES = 48;
export const ID_BYTES = 8;
export const FLOAT_BYTES = 4;
export const ALIGNMENT = 8;

/**
 * `checkpoint` says that everything before it was synced when it was written, `seal` says so too and ends its segment;
 * `void` stands in place of what was damaged, and covers it.
 */
export type BlockKind = "records" | "checkpoint" | "seal" | "void";
const KINDS: readonly (BlockKind | undefined)[] = [undefined, "records", "checkpoint", "seal", "void"];

export interface SegmentHeader {
  shape: CacheShape;
  /** Of the cache, made when its first segment was: segments of two caches do not mix. 32 hexadecimal digits. */
  cacheId: string;
  /** 1 for the first. */
  segment: number;
  /** How many bytes the header takes. */
  bytes: number;
}

export interface BlockHeader {
  kind: BlockKind;
  segment: number;
  /** Where in its file the block begins. */
  offset: number;
  /** Including this header. */
  bytes: number;
  /** How many records. */
  count: number;
  idsCrc: number;
  /** Of the vectors and the zeros behind them. */
  vectorsCrc: number;
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

export const recordBytes = (dimensions: number): number => ID_BYTES + FLOAT_BYTES * dimensions;

/** Bytes of a block with so many records. */
export function blockBytes(count: number, dimensions: number): number {
  return aligned(BLOCK_HEADER_BYTES + count * recordBytes(dimensions));
}

/** Arrays lie in the file as they lie in memory. */
export function refuseBigEndian(): void {
  if (endianness() !== "LE") {
    throw new KindredError(
      "unimplemented",
      "embedding caches are read and written by little-endian machines",
    );
  }
}

export function encodeSegmentHeader({ shape, cacheId, segment }: Omit<SegmentHeader, "bytes">): Buffer {
  const space = Buffer.from(shape.spaceId, "utf8");
  const header = Buffer.alloc(aligned(SEGMENT_HEADER_MIN_BYTES + space.length));
  SEGMENT_MAGIC.copy(header);
  header.writeUInt32LE(VERSION, 8);
  header.writeUInt32LE(header.length, 12);
  header.write(cacheId, 16, "hex");
  header.writeUInt32LE(segment, 32);
  header.writeUInt32LE(shape.dimensions, 36);
  header.writeUInt32LE(space.length, 40);
  space.copy(header, SEGMENT_HEADER_MIN_BYTES);
  header.writeUInt32LE(crc32(header), 44);
  return header;
}

/** What is wrong with a segment's beginning. */
export interface SegmentFault {
  fault: string;
  /** It is whole, but later than this code. */
  version?: number;
}

/**
 * @param start the first bytes of a file, SEGMENT_HEADER_MAX_BYTES of them where there are so many
 * @returns what is wrong, when it is no header that can be believed
 */
export function decodeSegmentHeader(start: Buffer): SegmentHeader | SegmentFault {
  if (start.length < SEGMENT_HEADER_MIN_BYTES) return { fault: "is too short for its header" };
  if (!start.subarray(0, 8).equals(SEGMENT_MAGIC)) return { fault: "does not begin as a segment does" };
  const bytes = start.readUInt32LE(12);
  const spaceBytes = start.readUInt32LE(40);
  // Before the version is believed, for a damaged one would send people looking for a newer Kindred.
  if (bytes < SEGMENT_HEADER_MIN_BYTES || bytes > start.length) return { fault: "has a damaged header" };
  const header = Buffer.from(start.subarray(0, bytes));
  header.writeUInt32LE(0, 44);
  if (crc32(header) !== start.readUInt32LE(44)) return { fault: "has a damaged header" };
  const version = header.readUInt32LE(8);
  if (version !== VERSION) return { fault: `is of version ${version}`, version };
  const dimensions = header.readUInt32LE(36);
  if (
    aligned(SEGMENT_HEADER_MIN_BYTES + spaceBytes) !== bytes ||
    dimensions === 0 ||
    dimensions > MAX_DIMENSIONS
  ) {
    return { fault: "has a header that contradicts itself" };
  }
  const spaceId = header.toString("utf8", SEGMENT_HEADER_MIN_BYTES, SEGMENT_HEADER_MIN_BYTES + spaceBytes);
  return {
    shape: { spaceId, dimensions },
    cacheId: header.toString("hex", 16, 32),
    segment: header.readUInt32LE(32),
    bytes,
  };
}

export function encodeBlockHeader(block: BlockHeader): Buffer {
  const header = Buffer.alloc(BLOCK_HEADER_BYTES);
  BLOCK_MAGIC.copy(header);
  header.writeUInt32LE(KINDS.indexOf(block.kind), 4);
  header.writeUInt32LE(block.segment, 8);
  header.writeUInt32LE(block.count, 12);
  header.writeBigUInt64LE(BigInt(block.offset), 16);
  header.writeBigUInt64LE(BigInt(block.bytes), 24);
  header.writeUInt32LE(block.idsCrc, 32);
  header.writeUInt32LE(block.vectorsCrc, 36);
  header.writeUInt32LE(crc32(header.subarray(0, 44)), 44);
  return header;
}

/** A block without records. */
export function encodeMark(kind: "checkpoint" | "seal", segment: number, offset: number): Buffer {
  const bytes = BLOCK_HEADER_BYTES;
  return encodeBlockHeader({ kind, segment, offset, bytes, count: 0, idsCrc: 0, vectorsCrc: 0 });
}

/**
 * @param place where the header was read; one that was written for another place is none
 * @returns undefined for anything that is not a whole header
 */
export function decodeBlockHeader(
  header: Buffer,
  place: { segment: number; offset: number; dimensions: number },
): BlockHeader | undefined {
  if (header.length < BLOCK_HEADER_BYTES || !header.subarray(0, 4).equals(BLOCK_MAGIC)) return undefined;
  if (crc32(header.subarray(0, 44)) !== header.readUInt32LE(44)) return undefined;
  const kind = KINDS[header.readUInt32LE(4)];
  const segment = header.readUInt32LE(8);
  const count = header.readUInt32LE(12);
  const offset = Number(header.readBigUInt64LE(16));
  const bytes = Number(header.readBigUInt64LE(24));
  if (!kind || segment !== place.segment || offset !== place.offset) return undefined;
  const right =
    kind === "void"
      ? count === 0 && bytes >= BLOCK_HEADER_BYTES && bytes % ALIGNMENT === 0
      : bytes === blockBytes(count, place.dimensions) && count > 0 === (kind === "records");
  if (!right) return undefined;
  return {
    kind,
    segment,
    offset,
    bytes,
    count,
    idsCrc: header.readUInt32LE(32),
    vectorsCrc: header.readUInt32LE(36),
  };
}
