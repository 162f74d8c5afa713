import { extname } from "node:path";
import { ElementType, type ItemBatch } from "@kindred/contracts/vector-store/v1";
import { npyHeader, NPY_HEADER_BYTES } from "../embedding/npy.ts";
import { NO_HEADER, type VectorFormat } from "../embedding/vector-file.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { storedVectorJson, type VectorShape } from "./vector-text.ts";

/** How items are written: those of a .npy file with their keys in another one. */
export interface ExportFormat {
  items: VectorFormat<ItemBatch>;
  /** What the file of the keys is like; undefined where the keys are with the items. */
  keys: VectorFormat<ItemBatch> | undefined;
}

/** By the extension of the file's name. @throws Failure for one that is not known, or does not fit the collection. */
export function exportFormat(
  path: string,
  shape: VectorShape,
  options: { vector: boolean; keys: string | undefined },
): ExportFormat {
  const extension = path === "-" ? ".jsonl" : extname(path).toLowerCase();
  switch (extension) {
    case ".jsonl":
    case ".ndjson":
      if (options.keys !== undefined)
        throw new Failure("--keys is for .npy files: lines of JSON have their keys in them.", {
          exitCode: EXIT.usage,
        });
      return { items: { ...NO_HEADER, encode: (items) => itemLines(items, shape) }, keys: undefined };
    case ".npy":
      if (shape.elementType === ElementType.BIT || !options.vector || options.keys === undefined)
        throw unfit(path, shape, options);
      return {
        items: { headerBytes: NPY_HEADER_BYTES, encode: ({ vectors }) => vectors, header: npyHeader },
        keys: { ...NO_HEADER, encode: ({ keys }) => keys.map(keyLine).join("") },
      };
    default:
      throw new Failure(`${path}: its extension says how items are written, and it is none of those known.`, {
        exitCode: EXIT.usage,
        remedy:
          "Give it one of .jsonl (JSON lines) or .npy (NumPy, float32, with --keys); - is JSON lines to standard output",
      });
  }
}

function unfit(path: string, { elementType }: VectorShape, { vector }: { vector: boolean }): Failure {
  if (elementType === ElementType.BIT)
    return new Failure("Bits cannot be written as a matrix of float32.", {
      exitCode: EXIT.usage,
      remedy: "Write .jsonl",
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
        remedy: "Write .jsonl",
      },
    );
  }
  return `${key}\n`;
}
