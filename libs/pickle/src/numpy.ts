import type { Budget } from "./limits.ts";
import { NumpyArray, type NumpyData } from "./numpy-array.ts";
import { isDateTimeUnit } from "./temporal.ts";
import type { PickleValue } from "./value.ts";

// What numpy's `__reduce__` methods write: numpy/_core/src/multiarray/descriptor.c (arraydescr_reduce), methods.c
// (array_reduce, array_setstate), scalartypes.c.src (gentype_reduce), and numpy/_core/numeric.py (_frombuffer).

/** An element type while the pickle is read. */
export interface Dtype {
  /** Letter of the kind, as in "i8": b i u f S U O M m. */
  kind: string;
  /** Bytes of one element. */
  size: number;
  bigEndian: boolean;
  /** Of datetime64 and timedelta64. */
  unit: string | undefined;
}

type Elements = "f" | "i" | "u";

const SIZES: Record<string, readonly number[]> = {
  b: [1],
  i: [1, 2, 4, 8],
  u: [1, 2, 4, 8],
  f: [2, 4, 8],
  O: [8],
  M: [8],
  m: [8],
};
const KIND_NAMES: Record<string, string> = {
  c: "complex numbers",
  V: "records (structured dtypes) or raw bytes",
  T: "numpy's StringDType",
};
const TYPE_NAMES: Record<string, string> = { b: "bool", S: "bytes", U: "str", O: "object" };

/** The dtype of its code, e.g. "i8", "U12", "?"; a text says why it is none that can be read. */
export function parseDtype(code: string): Dtype | string {
  const plain = code.replace(/^[<>|=]/, "");
  const [, kind = "", digits = ""] = /^([a-zA-Z?])(\d{0,9})$/.exec(plain) ?? [];
  if (kind === "") return `the numpy dtype ${JSON.stringify(code.slice(0, 40))} is not known`;
  const letter = kind === "?" ? "b" : kind;
  const dtype = { kind: letter, size: Number(digits), bigEndian: code.startsWith(">"), unit: undefined };
  if (letter === "S") return dtype;
  if (letter === "U") return { ...dtype, size: 4 * dtype.size };
  const size = digits === "" ? ({ b: 1, O: 8, M: 8, m: 8 }[letter] ?? 0) : dtype.size;
  if (SIZES[letter]?.includes(size)) return { ...dtype, size };
  return `numpy arrays of ${KIND_NAMES[letter] ?? `dtype ${plain}`} are not read: convert them to a plain type, e.g. with .tolist()`;
}

/** Takes over what `dtype.__setstate__` gets; a text says what cannot be read. */
export function setDtypeState(dtype: Dtype, state: readonly unknown[]): string | undefined {
  const [version, endian, subarray, names, fields, size, , , metadata] = state;
  if (typeof version !== "number" || version < 3 || version > 4)
    return "the state of a numpy dtype has an unknown form";
  if (endian !== "<" && endian !== ">" && endian !== "|" && endian !== "=")
    return "a numpy dtype has an unknown byte order";
  if (subarray !== null || names !== null || fields !== null)
    return "numpy arrays of records (structured dtypes) are not read: convert them to a dict of columns";
  dtype.bigEndian = endian === ">";
  if (typeof size === "number" && size >= 0 && Number.isSafeInteger(size) && "SU".includes(dtype.kind)) {
    if (dtype.kind === "U" && size % 4 !== 0) return "a numpy dtype of texts has an odd size";
    dtype.size = size;
  }
  if (dtype.kind === "M" || dtype.kind === "m") return setUnit(dtype, metadata);
  return undefined;
}

function setUnit(dtype: Dtype, metadata: unknown): string | undefined {
  const [, parts] = Array.isArray(metadata) ? (metadata as unknown[]) : [];
  const [rawUnit, count] = Array.isArray(parts) ? (parts as unknown[]) : [];
  const unit = rawUnit instanceof Uint8Array ? Buffer.from(rawUnit).toString("latin1") : rawUnit;
  if (typeof unit !== "string" || count !== 1 || !isDateTimeUnit(unit))
    return "numpy times of an unusual unit are not read: convert them with .astype('datetime64[us]')";
  dtype.unit = unit;
  return undefined;
}

function nameOf({ kind, size, unit }: Dtype): string {
  const wide: Record<string, string> = { i: "int", u: "uint", f: "float" };
  if (unit !== undefined) return `${kind === "M" ? "datetime64" : "timedelta64"}[${unit}]`;
  return TYPE_NAMES[kind] ?? `${wide[kind]}${8 * size}`;
}

/** The product of dimensions; undefined where they are none. */
export function sizeOf(shape: unknown): { shape: number[]; size: number } | undefined {
  const dimensions: unknown[] = Array.isArray(shape) ? shape : [shape];
  if (dimensions.length > 64 || !dimensions.every((d) => Number.isSafeInteger(d) && (d as number) >= 0))
    return undefined;
  const size = (dimensions as number[]).reduce((product, d) => product * d, 1);
  return Number.isSafeInteger(size) ? { shape: dimensions as number[], size } : undefined;
}

/**
 * An array of its bytes, which are copied; a text says what is wrong.
 * @param values the elements of an array of objects, bytes otherwise
 */
export function makeArray(
  dtype: Dtype,
  rawShape: unknown,
  fortran: boolean,
  values: Uint8Array | readonly PickleValue[],
  budget: Budget,
): NumpyArray | string {
  const found = sizeOf(rawShape);
  if (!found) return "the shape of a numpy array is none";
  const { shape, size } = found;
  if ((dtype.kind === "M" || dtype.kind === "m") && dtype.unit === undefined)
    return "numpy times without a unit are not read: convert them with .astype('datetime64[us]')";
  const isObjects = dtype.kind === "O";
  if (isObjects !== Array.isArray(values)) return "a numpy array has no data of its type";
  const given = values.length;
  const wanted = isObjects ? size : size * dtype.size;
  if (given !== wanted)
    return `a numpy array of shape (${shape.join(", ")}) has ${given} of ${wanted} ${isObjects ? "elements" : "bytes"}`;
  budget.charge(8 * size);
  const data = isObjects
    ? [...(values as readonly PickleValue[])]
    : decode(dtype, size, values as Uint8Array, budget);
  if (data === undefined) return "a numpy array of texts has a number that is no character";
  return new NumpyArray(nameOf(dtype), shape, fortran ? toRowMajor(shape, data, budget) : data);
}

function decode(dtype: Dtype, count: number, bytes: Uint8Array, budget: Budget): NumpyData | undefined {
  const { kind, size, bigEndian } = dtype;
  budget.charge(bytes.length);
  if (kind === "U" || kind === "S") return decodeTexts(dtype, count, bytes);
  const buffer = bytes.slice().buffer;
  if (kind === "b") return new Uint8Array(buffer);
  if (kind === "M" || kind === "m") return new BigInt64Array(swapped(buffer, 8, bigEndian));
  const form = `${kind as Elements}${size}` as keyof typeof FORMS;
  return new FORMS[form](swapped(buffer, size, bigEndian));
}

const FORMS = {
  i1: Int8Array,
  i2: Int16Array,
  i4: Int32Array,
  i8: BigInt64Array,
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
  u8: BigUint64Array,
  f2: Float16Array,
  f4: Float32Array,
  f8: Float64Array,
};

function swapped(buffer: ArrayBuffer, size: number, bigEndian: boolean): ArrayBuffer {
  const bytes = Buffer.from(buffer);
  if (!bigEndian) return buffer;
  if (size === 2) bytes.swap16();
  else if (size === 4) bytes.swap32();
  else if (size === 8) bytes.swap64();
  return buffer;
}

/** numpy pads texts with zeros, which it does not count as theirs. */
function decodeTexts(
  { kind, size, bigEndian }: Dtype,
  count: number,
  bytes: Uint8Array,
): PickleValue[] | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: PickleValue[] = [];
  for (let i = 0; i < count; i++) {
    const element = view.subarray(i * size, (i + 1) * size);
    if (kind === "S") {
      let end = element.length;
      while (end > 0 && element[end - 1] === 0) end--;
      texts.push(new Uint8Array(element.subarray(0, end)));
      continue;
    }
    let end = size / 4;
    while (end > 0 && element.readUInt32LE(4 * (end - 1)) === 0) end--;
    let text = "";
    for (let j = 0; j < end; j++) {
      const point = bigEndian ? element.readUInt32BE(4 * j) : element.readUInt32LE(4 * j);
      if (point > 0x10ffff) return undefined;
      text += String.fromCodePoint(point);
    }
    texts.push(text);
  }
  return texts;
}

/** From Fortran's order, in which the first index moves fastest. */
function toRowMajor(shape: readonly number[], data: NumpyData, budget: Budget): NumpyData {
  if (shape.filter((d) => d !== 1).length < 2 || data.length === 0) return data;
  budget.charge(8 * data.length);
  const result = data.slice() as PickleValue[];
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, d) => product * d, 1));
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    result[to] = data[from] as PickleValue;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [stride, limit] = [strides[axis] as number, shape[axis] as number];
      from += stride;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < limit) break;
      from -= stride * limit;
      index[axis] = 0;
    }
  }
  return result as NumpyData;
}
