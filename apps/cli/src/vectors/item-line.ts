import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { ElementType } from "@kindred/contracts/vector-store/v1";
import { isFloat32, packBits, packFloats, type VectorShape } from "./vector-text.ts";

/** An item on its way into a collection: with a vector or a text that is to be embedded. */
export interface ItemRow {
  key: string;
  /** As the contracts carry it. */
  vector: Uint8Array | undefined;
  text: string | undefined;
  metadata: JsonObject | undefined;
  document: string | undefined;
}

const MEMBERS = new Set(["key", "vector", "text", "metadata", "document", "updated_at"]);

/**
 * Reads {"key", "vector": [...] | "text", "metadata", "document"}. A number as key stands for its digits; "updated_at", which
 * exports may have, is not looked at.
 * @throws Error that says what is wrong with the line.
 */
export function parseItemLine(line: string, shape: VectorShape): ItemRow {
  let item: JsonValue;
  try {
    item = JSON.parse(line) as JsonValue;
  } catch (error) {
    throw new Error("it is no JSON", { cause: error });
  }
  if (!isObject(item)) throw new Error('it is no JSON object such as {"key": "a", "text": "…"}');
  const unknown = Object.keys(item).find((name) => !MEMBERS.has(name));
  if (unknown !== undefined)
    throw new Error(
      `${JSON.stringify(unknown)} is no member of an item; what else is known of it goes into "metadata"`,
    );
  const { key, vector, text, metadata, document } = item;
  if (((vector ?? undefined) === undefined) === ((text ?? undefined) === undefined))
    throw new Error('an item has a "vector" or a "text", one of them');
  return {
    key: keyOf(key),
    vector: vector === undefined || vector === null ? undefined : vectorOf(vector, shape),
    text: textOf("text", text),
    metadata: metadataOf(metadata),
    document: textOf("document", document),
  };
}

function keyOf(key: JsonValue | undefined): string {
  if (typeof key === "string" && key !== "") return key;
  if (typeof key === "number" && Number.isSafeInteger(key)) return String(key);
  if (typeof key === "number")
    throw new Error(`"key" ${key} is no integer that is read exactly: write it in quotes`);
  throw new Error('"key" has to be a text that is not empty');
}

function vectorOf(vector: JsonValue, { elementType, dimensions }: VectorShape): Uint8Array {
  const found = typeof vector === "string" || Array.isArray(vector) ? vector.length : undefined;
  if (elementType === ElementType.BIT) {
    const bits = Array.isArray(vector) ? vector.join("") : vector;
    if (typeof bits !== "string" || !/^[01]*$/.test(bits))
      throw new Error('"vector" has to be bits: "0110" or [0, 1, 1, 0]');
    checkLength(bits.length, dimensions);
    return packBits(bits).data;
  }
  if (!Array.isArray(vector)) throw new Error('"vector" has to be an array of numbers');
  checkLength(found ?? 0, dimensions);
  for (const [i, value] of vector.entries()) {
    if (!isFloat32(value))
      throw new Error(`"vector" has ${JSON.stringify(value)} at position ${i}, which is no finite float32`);
  }
  return packFloats(vector as number[]).data;
}

function checkLength(length: number, dimensions: number): void {
  if (length !== dimensions)
    throw new Error(`"vector" has ${length} dimensions, not the collection's ${dimensions}`);
}

function textOf(name: string, value: JsonValue | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw new Error(`"${name}" has to be a text`);
  return value;
}

function metadataOf(value: JsonValue | undefined): JsonObject | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new Error('"metadata" has to be an object');
  return value;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
