import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { packFloats } from "../vectors/vector-text.ts";
import { isNumberList, type RowValues } from "./parquet-rows.ts";

// Values of a row of a Parquet file, as JSON would have them. What they throw says what is wrong with the row.

export function textValue(row: RowValues, name: string): string | undefined {
  const value = row[name] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  throw new Error(`"${name}" has to be a text, is ${shown(value)}`);
}

/** A whole number; its digits where a JSON number would not hold it exactly, as protobuf's JSON has it. */
export function integerValue(row: RowValues, name: string): number | string | undefined {
  const value = row[name] ?? undefined;
  if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined;
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  throw new Error(`"${name}" has to be an integer, is ${shown(value)}`);
}

export function numberValue(row: RowValues, name: string): number | undefined {
  const value = row[name] ?? undefined;
  if (typeof value === "bigint") return Number(value);
  if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return value;
  throw new Error(`"${name}" has to be a finite number, is ${shown(value)}`);
}

/** JSON, which a column has as its text or as a value. */
export function jsonValue(row: RowValues, name: string): JsonValue | undefined {
  const value = row[name] ?? undefined;
  if (typeof value !== "string") return value as JsonValue | undefined;
  try {
    return JSON.parse(value) as JsonValue;
  } catch (error) {
    throw new Error(`"${name}" has to be JSON, is ${shown(value)}`, { cause: error });
  }
}

export function objectValue(row: RowValues, name: string): JsonObject | undefined {
  const value = jsonValue(row, name) ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new Error(`"${name}" has to be an object, is ${shown(value)}`);
}

export function textsValue(row: RowValues, name: string): string[] | undefined {
  const value = row[name] ?? undefined;
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
  throw new Error(`"${name}" has to be a list of texts, is ${shown(value)}`);
}

/** Little-endian float32. */
export function vectorValue(row: RowValues, name: string, dimensions?: number): Uint8Array | undefined {
  const value = row[name] ?? undefined;
  if (value === undefined) return undefined;
  if (!isNumberList(value)) throw new Error(`"${name}" has to be a list of numbers, is ${shown(value)}`);
  const { data } = packFloats(value instanceof Float32Array ? value : Float32Array.from(value));
  if (dimensions !== undefined && value.length !== dimensions)
    throw new Error(`"${name}" has ${value.length} dimensions, not the collection's ${dimensions}`);
  const bad = Array.from(value).findIndex((each) => !Number.isFinite(Math.fround(each)));
  if (bad >= 0)
    throw new Error(`"${name}" has ${shown(value[bad])} at position ${bad}, which is no finite float32`);
  return data;
}

function shown(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}
