import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import sharp from "sharp";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Length, type and checksum around the data of a chunk. */
const CHUNK_OVERHEAD = 12;
/** The text chunk that says which drawing a file shows. */
const KEYWORD = "kindred-drawing";

/**
 * Draws an SVG document as PNG. The file carries the drawing's digest, so that `shows` tells a current file from one that an earlier
 * version drew.
 */
export async function drawPng(svg: string): Promise<Buffer> {
  const drawn = await sharp(Buffer.from(svg)).png({ compressionLevel: 6 }).toBuffer();
  const text = Buffer.from(`${KEYWORD}\0${digest(svg)}`, "latin1");
  // IEND, the last chunk, is empty.
  const end = drawn.length - CHUNK_OVERHEAD;
  return Buffer.concat([drawn.subarray(0, end), chunk("tEXt", text), drawn.subarray(end)]);
}

/** Whether the file is whole, every checksum included, and shows this drawing. */
export function shows(file: Buffer, svg: string): boolean {
  const chunks = readChunks(file);
  const text = chunks?.find((c) => c.type === "tEXt")?.data.toString("latin1");
  return text === `${KEYWORD}\0${digest(svg)}`;
}

function digest(svg: string): string {
  return createHash("sha256").update(svg).digest("hex");
}

function chunk(type: string, data: Buffer): Buffer {
  const out = Buffer.alloc(CHUNK_OVERHEAD + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, "latin1");
  data.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

/** The chunks of a PNG file (PNG specification, section 5.3), or undefined when it is torn or has been tampered with. */
export function readChunks(file: Buffer): { type: string; data: Buffer }[] | undefined {
  if (!file.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return undefined;
  const chunks: { type: string; data: Buffer }[] = [];
  let at = SIGNATURE.length;
  while (at + CHUNK_OVERHEAD <= file.length) {
    const length = file.readUInt32BE(at);
    const end = at + CHUNK_OVERHEAD + length;
    if (end > file.length) return undefined;
    const type = file.toString("latin1", at + 4, at + 8);
    if (crc32(file.subarray(at + 4, end - 4)) !== file.readUInt32BE(end - 4)) return undefined;
    chunks.push({ type, data: file.subarray(at + 8, end - 4) });
    if (type === "IEND") return end === file.length ? chunks : undefined;
    at = end;
  }
  return undefined;
}
