import { NumpyArray, Complex, Temporal, type PickleValue } from "@kindred/pickle";
import type { Fields } from "./metadata.ts";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A record as the image catalogue has it. Limits are those of the catalogue's contract, image.proto. */
export interface ImageRecord {
  /** 1 to 500 characters. */
  imagePath: string;
  description: string;
  tags: string[];
  width: number | undefined;
  height: number | undefined;
  fileSizeBytes: number | undefined;
  /** As given, else the extension of the path; "jpg" for "jpeg". */
  format: string;
  sourceDataset: string;
  /** Of the embedding. */
  modelName: string;
  modelType: string;
  embeddingType: string;
  /** All other fields. */
  other: { [name: string]: Json };
}

/** Names that a field may have; a plural "s" may follow, as columns have it. */
const NAMES = {
  imagePath: ["image_path", "path", "file_path", "filepath", "image", "filename", "file_name"],
  description: ["description", "caption", "text"],
  tags: ["tags", "tag", "labels", "keywords"],
  width: ["width", "image_width"],
  height: ["height", "image_height"],
  fileSizeBytes: ["file_size_bytes", "file_size", "size_bytes"],
  format: ["format", "image_format"],
  sourceDataset: ["source_dataset", "dataset"],
  modelName: ["model_name", "model"],
  modelType: ["model_type"],
  embeddingType: ["embedding_type"],
} as const;

type Name = keyof typeof NAMES;

const MAX_INT32 = 2 ** 31 - 1;
const MAX_TEXT_BYTES = 2 ** 20;
const MAX_OTHER_VALUES = 100_000;

/** Why a record cannot be in the catalogue; `reason` is the same for all that fail alike. */
export class BadRecord extends Error {
  override readonly name = "BadRecord";
}

/**
 * The image that a record describes.
 * @param fields of the record
 * @param shared what the file says of all its records; a record's own fields come first
 * @param fallback source_dataset of records that have none
 * @throws BadRecord
 */
export function imageRecordOf(fields: Fields, shared: Fields, fallback: string): ImageRecord {
  const taken = new Set<string>();
  const find = (name: Name): PickleValue | undefined => {
    for (const source of [fields, shared]) {
      for (const key of NAMES[name].flatMap((one) => [one, `${one}s`])) {
        const value = source.get(key);
        if (value === undefined || taken.has(key)) continue;
        taken.add(key);
        if (!isMissing(value)) return value;
      }
    }
    return undefined;
  };
  const imagePath = textOf("image_path", find("imagePath"), 500);
  if (imagePath === "") throw new BadRecord("it has no image_path");
  const description = descriptionOf(find("description"));
  return {
    imagePath,
    description,
    tags: tagsOf(find("tags")),
    width: countOf("width", find("width"), 1, MAX_INT32),
    height: countOf("height", find("height"), 1, MAX_INT32),
    fileSizeBytes: countOf("file_size_bytes", find("fileSizeBytes"), 0, Number.MAX_SAFE_INTEGER),
    format: formatOf(textOf("format", find("format"), 10), imagePath),
    sourceDataset: textOf("source_dataset", find("sourceDataset"), 100) || fallback,
    modelName: textOf("model_name", find("modelName"), 200),
    modelType: textOf("model_type", find("modelType"), 100),
    embeddingType: textOf("embedding_type", find("embeddingType"), 50),
    other: othersOf(fields, taken),
  };
}

/** None, and the NaN that pandas has in its place. */
function isMissing(value: PickleValue): boolean {
  return value === null || (typeof value === "number" && Number.isNaN(value));
}

function textOf(name: string, value: PickleValue | undefined, maxLength: number): string {
  if (value === undefined) return "";
  const text = value instanceof Uint8Array ? decoded(name, value) : value;
  if (typeof text !== "string") throw new BadRecord(`its ${name} is no text`);
  if (text.includes("\0") || !text.isWellFormed())
    throw new BadRecord(`its ${name} has characters that no database stores`);
  if ([...text].length > maxLength)
    throw new BadRecord(`its ${name} has more than ${maxLength.toLocaleString("en-US")} characters`);
  return text;
}

/** Of Python 2, whose texts are bytes. */
function decoded(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new BadRecord(`its ${name} is not UTF-8`);
  }
}

/** Of several captions, the first. */
function descriptionOf(value: PickleValue | undefined): string {
  const one = Array.isArray(value) ? value[0] : value;
  const text = textOf("description", one, MAX_TEXT_BYTES);
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) throw new BadRecord("its description has more than 1 MiB");
  return text;
}

function tagsOf(value: PickleValue | undefined): string[] {
  if (value === undefined) return [];
  const list =
    typeof value === "string"
      ? value.split(",").map((tag) => tag.trim())
      : value instanceof NumpyArray
        ? Array.from({ length: value.size }, (_, i) => value.item(i))
        : value instanceof Set
          ? [...value]
          : value;
  if (!Array.isArray(list)) throw new BadRecord("its tags are no list");
  const tags = list.map((tag) => textOf("tags", tag, 200)).filter((tag) => tag !== "");
  if (tags.length > 100) throw new BadRecord("it has more than 100 tags");
  return tags;
}

function countOf(name: string, value: PickleValue | undefined, min: number, max: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max)
    throw new BadRecord(`its ${name} is no integer from ${min} to ${max}`);
  return value;
}

function formatOf(given: string, path: string): string {
  const format = given || (/\.([a-z0-9]{1,10})$/i.exec(path)?.[1]?.toLowerCase() ?? "");
  return format === "jpeg" ? "jpg" : format;
}

function othersOf(fields: Fields, taken: ReadonlySet<string>): { [name: string]: Json } {
  const budget = { values: MAX_OTHER_VALUES };
  const entries: [string, Json][] = [];
  for (const [name, value] of fields) {
    if (!taken.has(name)) entries.push([name, toJson(value, budget)]);
  }
  const other = Object.fromEntries(entries);
  if (Buffer.byteLength(JSON.stringify(other)) > MAX_TEXT_BYTES / 2)
    throw new BadRecord("its other fields have more than 512 KiB");
  return other;
}

function toJson(value: PickleValue, budget: { values: number }): Json {
  budget.values -= 1;
  if (budget.values < 0) throw new BadRecord("its other fields have too many values");
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return value.replaceAll("\0", "�").toWellFormed();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Temporal) return value.text;
  if (value instanceof Complex) return [value.real, value.imaginary];
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [keyOf(key), toJson(item, budget)] as const));
  if (value instanceof NumpyArray) {
    if (value.size > budget.values) throw new BadRecord("its other fields have too many values");
    return Array.from({ length: value.size }, (_, i) => toJson(value.item(i), budget));
  }
  return Array.from(value, (item) => toJson(item, budget));
}

function keyOf(key: PickleValue): string {
  const text = typeof key === "string" ? key : JSON.stringify(toJson(key, { values: 100 }));
  return text.replaceAll("\0", "�").toWellFormed();
}
