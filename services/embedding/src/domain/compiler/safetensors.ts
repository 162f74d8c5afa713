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

/** Tensors by name, out of one file or of several. */
export interface TensorStore {
  readonly tensors: ReadonlyMap<string, TensorEntry & { readonly source: ByteSource }>;
}

/**
 * Reads the headers of all files that a model's weights are split into.
 * @throws KindredError data-loss when one is damaged, or when two of them have a tensor of the same name.
 */
export async function openTensors(sources: readonly ByteSource[]): Promise<TensorStore> {
  const tensors = new Map<string, TensorEntry & { source: ByteSource }>();
  for (const source of sources) {
    for (const [name, entry] of (await readSafetensorsIndex(source)).tensors) {
      if (tensors.has(name)) throw damaged(`tensor ${name} is in two of the files`);
      tensors.set(name, { ...entry, source });
    }
  }
  return { tensors };
}

/** The elements of a tensor as float32; exact, because both 16-bit types are parts of it. */
const DECODERS = new Map<string, (bytes: ArrayBuffer) => Float32Array<ArrayBuffer>>([
  ["F32", (bytes) => new Float32Array(bytes)],
  ["F16", (bytes) => Float32Array.from(new Float16Array(bytes))],
  // The upper half of a float32.
  [
    "BF16",
    (bytes) => new Float32Array(Uint32Array.from(new Uint16Array(bytes), (half) => half << 16).buffer),
  ],
]);

/**
 * Reads one tensor of 32-bit or 16-bit floats as float32, row-major. The host has to be little-endian, as the format is.
 * @throws KindredError data-loss when it is missing, of another type, of another shape, or has an element that is no finite number.
 */
export async function readFloats(
  store: TensorStore,
  name: string,
  shape: readonly number[],
): Promise<Float32Array<ArrayBuffer>> {
  const entry = store.tensors.get(name);
  if (entry === undefined) throw damaged(`tensor ${name} is missing`);
  const same = entry.shape.length === shape.length && entry.shape.every((size, i) => size === shape[i]);
  const decode = DECODERS.get(entry.dtype);
  if (decode === undefined || !same) {
    const types = [...DECODERS.keys()].join(" or ");
    throw damaged(
      `tensor ${name} is ${entry.dtype} [${entry.shape.join(", ")}], expected ${types} [${shape.join(", ")}]`,
    );
  }
  const bytes = await entry.source.read(entry.offset, entry.length);
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  const values = decode(whole ? bytes.buffer : bytes.slice().buffer);
  for (const value of values) {
    // Anything less itself is zero, but for infinities and NaN.
    if (value - value !== 0) throw damaged(`tensor ${name} has elements that are no finite numbers`);
  }
  return values;
}
