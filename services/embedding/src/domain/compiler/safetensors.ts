import { KindredError } from "@kindred/errors";

/** Bytes that can be read in part: a file, or a buffer in a test. */
export interface ByteSource {
  /** Length in bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`; rejects when the source has fewer. The caller owns the result. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** One tensor of a safetensors file. */
export interface TensorEntry {
  /** Element type as the format writes it: F32, F16, BF16, I64 … */
  readonly dtype: string;
  /** Row-major. */
  readonly shape: readonly number[];
  /** Position of its first byte in the file. */
  readonly offset: number;
  /** Length in bytes. */
  readonly length: number;
}

/** What a safetensors file holds. */
export interface SafetensorsIndex {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

const PREFIX_BYTES = 8;
/** The format's own limit for its header. */
const MAX_HEADER_BYTES = 100_000_000;
const ELEMENT_BYTES = new Map<string, number>([
  ["BOOL", 1],
  ["U8", 1],
  ["I8", 1],
  ["F8_E5M2", 1],
  ["F8_E4M3", 1],
  ["I16", 2],
  ["U16", 2],
  ["F16", 2],
  ["BF16", 2],
  ["I32", 4],
  ["U32", 4],
  ["F32", 4],
  ["F64", 8],
  ["I64", 8],
  ["U64", 8],
]);

function damaged(problem: string): KindredError {
  return new KindredError("data-loss", `not a usable safetensors file: ${problem}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readEntry(name: string, value: unknown, dataStart: number, dataSize: number): TensorEntry {
  if (!isRecord(value)) throw damaged(`tensor ${JSON.stringify(name)} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  const elementBytes = typeof dtype === "string" ? ELEMENT_BYTES.get(dtype) : undefined;
  if (typeof dtype !== "string" || elementBytes === undefined) {
    throw damaged(`tensor ${JSON.stringify(name)} has the unknown type ${JSON.stringify(dtype)}`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw damaged(`tensor ${JSON.stringify(name)} has no proper shape`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw damaged(`tensor ${JSON.stringify(name)} has no proper data_offsets`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataSize) {
    throw damaged(
      `tensor ${JSON.stringify(name)} lies at ${begin} to ${end}, outside the ${dataSize} bytes of data`,
    );
  }
  const length = (shape as number[]).reduce((product, dimension) => product * dimension, elementBytes);
  if (length !== end - begin) {
    throw damaged(
      `tensor ${JSON.stringify(name)} of ${dtype} [${shape.join(", ")}] needs ${length} bytes, has ${end - begin}`,
    );
  }
  return { dtype, shape: shape as number[], offset: dataStart + begin, length };
}

/**
 * Reads the header of a safetensors file (8 bytes of little-endian length, JSON, then the data) and checks all of it:
 * types, shapes, and that the tensors cover the data without gaps and without overlap, as the format demands.
 * @throws KindredError data-loss when the file is anything else.
 */
export async function readSafetensorsIndex(source: ByteSource): Promise<SafetensorsIndex> {
  if (source.size < PREFIX_BYTES) throw damaged(`it has ${source.size} bytes`);
  const prefix = await source.read(0, PREFIX_BYTES);
  const headerBytes = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (headerBytes > BigInt(Math.min(MAX_HEADER_BYTES, source.size - PREFIX_BYTES))) {
    throw damaged(`its header claims ${headerBytes} bytes, the file has ${source.size}`);
  }
  const header = await source.read(PREFIX_BYTES, Number(headerBytes));
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(header));
  } catch (error) {
    throw new KindredError("data-loss", "not a usable safetensors file: its header is not JSON", {
      cause: error,
    });
  }
  if (!isRecord(parsed)) throw damaged("its header is not an object");

  const dataStart = PREFIX_BYTES + Number(headerBytes);
  const dataSize = source.size - dataStart;
  const { __metadata__: metadata = {}, ...entries } = parsed;
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === "string")) {
    throw damaged("its __metadata__ is not a map of texts");
  }
  const tensors = new Map(
    Object.entries(entries).map(([name, value]) => [name, readEntry(name, value, dataStart, dataSize)]),
  );

  let covered = dataStart;
  for (const [name, entry] of [...tensors].toSorted(
    ([, a], [, b]) => a.offset - b.offset || a.length - b.length,
  )) {
    if (entry.offset !== covered) {
      throw damaged(
        `tensor ${JSON.stringify(name)} starts at byte ${entry.offset - dataStart}, expected ${covered - dataStart}`,
      );
    }
    covered += entry.length;
  }
  if (covered !== source.size) throw damaged(`${source.size - covered} bytes at its end belong to no tensor`);
  return { tensors, metadata: metadata as Record<string, string> };
}

/**
 * Reads one float32 tensor, row-major.
 * @throws KindredError data-loss when it is missing, of another type, or of another shape.
 */
export async function readFloat32(
  source: ByteSource,
  index: SafetensorsIndex,
  name: string,
  shape: readonly number[],
): Promise<Float32Array<ArrayBuffer>> {
  const entry = index.tensors.get(name);
  if (entry === undefined) throw damaged(`tensor ${name} is missing`);
  const same = entry.shape.length === shape.length && entry.shape.every((size, i) => size === shape[i]);
  if (entry.dtype !== "F32" || !same) {
    throw damaged(
      `tensor ${name} is ${entry.dtype} [${entry.shape.join(", ")}], expected F32 [${shape.join(", ")}]`,
    );
  }
  const bytes = await source.read(entry.offset, entry.length);
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(aligned.buffer, aligned.byteOffset, entry.length / Float32Array.BYTES_PER_ELEMENT);
}
