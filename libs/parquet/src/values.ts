import { invalidField, messageOf } from "@kindred/errors";
import type { ParquetColumn, ParquetType } from "./types.ts";

/** A value as it is written, a copy where it could be changed, and the bytes that it takes; fails where it is none of the type. */
type Converter = (value: unknown, fail: (must: string) => never) => { value: unknown; bytes: number };

const INT32_MAX = 2 ** 31 - 1;
const INT64_MAX = 2n ** 63n - 1n;
const encoder = new TextEncoder();

const converters: Readonly<Record<ParquetType, Converter>> = {
  int32: (value, fail) => {
    if (!Number.isInteger(value) || (value as number) < -INT32_MAX - 1 || (value as number) > INT32_MAX)
      fail("must be an integer of 32 bits");
    return { value, bytes: 4 };
  },
  int64: (value, fail) => {
    if (typeof value !== "bigint" || value < -INT64_MAX - 1n || value > INT64_MAX)
      fail("must be a bigint of 64 bits");
    return { value, bytes: 8 };
  },
  double: (value, fail) => {
    if (typeof value !== "number") fail("must be a number");
    return { value, bytes: 8 };
  },
  boolean: (value, fail) => {
    if (typeof value !== "boolean") fail("must be true or false");
    return { value, bytes: 1 };
  },
  string: (value, fail) => ({ value, bytes: textBytes(value, fail) }),
  bytes: (value, fail) => {
    if (!(value instanceof Uint8Array)) fail("must be a Uint8Array");
    return { value: (value as Uint8Array).slice(), bytes: (value as Uint8Array).byteLength + 4 };
  },
  timestamp: (value, fail) => {
    if (!(value instanceof Date) || Number.isNaN(value.getTime())) fail("must be a valid Date");
    return { value: BigInt((value as Date).getTime()), bytes: 8 };
  },
  json: (value, fail) => {
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (error) {
      fail(`must be a JSON value (${messageOf(error)})`);
    }
    if (text === undefined) fail("must be a JSON value");
    const bytes = encoder.encode(text);
    return { value: bytes, bytes: bytes.byteLength + 4 };
  },
  strings: (value, fail) => {
    if (!Array.isArray(value)) fail("must be a list of strings");
    let bytes = 8;
    for (const text of value as unknown[]) bytes += textBytes(text, fail) + 1;
    return { value: [...(value as string[])], bytes };
  },
  float32s: (value, fail) => {
    const list = value instanceof Float32Array ? value.slice() : float32s(value);
    if (list === undefined) return fail("must be a list of numbers");
    return { value: list, bytes: list.byteLength + 8 };
  },
};

function float32s(value: unknown): Float32Array | undefined {
  if (!Array.isArray(value) || !value.every((item) => typeof item === "number")) return undefined;
  return Float32Array.from(value);
}

function textBytes(value: unknown, fail: (must: string) => never): number {
  if (typeof value !== "string") return fail("must be a string");
  // UTF-8 cannot say half a surrogate pair; TextEncoder would write another text without a word.
  if (!value.isWellFormed()) fail("must be well-formed text, has half a surrogate pair");
  return Buffer.byteLength(value) + 4;
}

/**
 * The values of one column of a batch in the form in which they are written, checked one by one. What they take
 * uncompressed is added to `sizes`, row by row.
 *
 * @throws KindredError invalid-argument that names the column and the row, counted from the file's first
 */
export function physicalValues(
  column: ParquetColumn,
  values: ArrayLike<unknown>,
  sizes: Float64Array,
  firstRow: number,
): unknown[] {
  const convert = converters[column.type];
  const physical = Array.from<unknown>({ length: sizes.length });
  for (let row = 0; row < sizes.length; row++) {
    const value = values[row];
    const fail = (must: string): never => {
      throw invalidField(`${column.name}[${firstRow + row}]`, `${must}, is ${shown(value)}`);
    };
    if (value === null || value === undefined) {
      if (!column.nullable) fail("is missing; the column is not nullable");
      physical[row] = null;
      continue;
    }
    const converted = convert(value, fail);
    physical[row] = converted.value;
    sizes[row]! += converted.bytes;
  }
  return physical;
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return String(value);
  return Object.prototype.toString.call(value).slice(8, -1);
}
