import { extname } from "node:path";
import { ElementType, type Collection, type ItemBatch } from "@kindred/contracts/vector-store/v1";
import { npyHeader, NPY_HEADER_BYTES } from "../embedding/npy.ts";
import { NO_HEADER, openVectorFile, type VectorFormat } from "../embedding/vector-file.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { COLLECTION_KEY, collectionLine, definitionJson } from "../transfer/collection-header.ts";
import type { FileFormat } from "../transfer/export-file.ts";
import { itemParquet } from "../transfer/item-parquet.ts";
import { PARQUET } from "../transfer/parquet-rows.ts";
import { openParquetSink } from "../transfer/parquet-sink.ts";
import { storedVectorJson, type VectorShape } from "./vector-text.ts";

/** How items are written: those of a .npy file with their keys in another one. */
export interface ExportFormat extends FileFormat<ItemBatch> {
  /** undefined where the keys are with the items. */
  keys: VectorFormat<ItemBatch> | undefined;
}

interface FormatOptions {
  vector: boolean;
  keys: string | undefined;
  /** Is written before the items, so that an import can create it; undefined for the items alone. */
  collection: Collection | undefined;
}

/** By the extension of the file's name. @throws Failure for one that is not known, or does not fit the collection. */
export function exportFormat(path: string, shape: VectorShape, options: FormatOptions): ExportFormat {
  const { collection, vector } = options;
  const extension = path === "-" ? ".jsonl" : extname(path).toLowerCase();
  const first = collection ? collectionLine(collection) : "";
  const encode = (items: ItemBatch): string => itemLines(items, shape);
  const lines = { first, encode };
  switch (extension) {
    case ".jsonl":
    case ".ndjson": {
      refuseKeys(options, "lines of JSON have their keys in them");
      const header = Buffer.from(first);
      const format = { headerBytes: header.byteLength, header: () => header, encode };
      return { open: () => openVectorFile(path, format), lines, keys: undefined };
    }
    case PARQUET: {
      refuseKeys(options, "a Parquet file has its keys in the column key");
      const metadata = collection ? { [COLLECTION_KEY]: JSON.stringify(definitionJson(collection)) } : {};
      const format = itemParquet(shape, { vector, metadata });
      return { open: () => openParquetSink(path, format), lines, keys: undefined };
    }
    case ".npy": {
      if (shape.elementType === ElementType.BIT || !vector || options.keys === undefined)
        throw unfit(path, shape, options);
      const format: VectorFormat<ItemBatch> = {
        headerBytes: NPY_HEADER_BYTES,
        encode: ({ vectors }) => vectors,
        header: npyHeader,
      };
      return {
        open: () => openVectorFile(path, format),
        lines,
        keys: { ...NO_HEADER, encode: ({ keys }) => keys.map(keyLine).join("") },
      };
    }
    default:
      throw new Failure(`${path}: its extension says how items are written, and it is none of those known.`, {
        exitCode: EXIT.usage,
        remedy:
          "Give it one of .jsonl (JSON lines), .parquet or .npy (NumPy, float32, with --keys); - is JSON lines to standard output",
      });
  }
}

function refuseKeys({ keys }: FormatOptions, reason: string): void {
  if (keys !== undefined) throw new Failure(`--keys is for .npy files: ${reason}.`, { exitCode: EXIT.usage });
}

function unfit(path: string, { elementType }: VectorShape, { vector }: { vector: boolean }): Failure {
  if (elementType === ElementType.BIT)
    return new Failure("Bits cannot be written as a matrix of float32.", {
      exitCode: EXIT.usage,
      remedy: "Write .jsonl or .parquet",
    });
  if (!vector)
    return new Failure(`${path} would be empty: it has nothing but vectors.`, { exitCode: EXIT.usage });
  return new Failure(`${path} has no room for keys: name a file for them by --keys.`, {
    exitCode: EXIT.usage,
    remedy: `e.g. --keys ${path.replace(/\.npy$/i, "")}-keys.txt`,
  });
}

/** One line an item: {"key", "vector", "metadata", "document"}, as imports read them. */
function itemLines({ keys, vectors, metadata, documents }: ItemBatch, shape: VectorShape): string {
  const bytes = vectors.byteLength / Math.max(keys.length, 1);
  return keys
    .map((key, i) => {
      const members = [`"key":${JSON.stringify(key)}`];
      if (bytes > 0)
        members.push(`"vector":${storedVectorJson(vectors.subarray(i * bytes, (i + 1) * bytes), shape)}`);
      const data = metadata[i];
      if (data && Object.keys(data).length > 0) members.push(`"metadata":${JSON.stringify(data)}`);
      if (documents[i]) members.push(`"document":${JSON.stringify(documents[i])}`);
      return `{${members.join(",")}}\n`;
    })
    .join("");
}

function keyLine(key: string): string {
  if (/[\r\n]/.test(key)) {
    throw new Failure(
      `The key ${JSON.stringify(key)} has a line end in it, and cannot be a line of the keys' file.`,
      {
        exitCode: EXIT.data,
        remedy: "Write .jsonl or .parquet",
      },
    );
  }
  return `${key}\n`;
}
