import { stat } from "node:fs/promises";
import { extname } from "node:path";
import type { Readable } from "node:stream";
import { ElementType } from "@kindred/contracts/vector-store/v1";
import { openTextSource, type TextSource } from "../embedding/text-source.ts";
import { isCollectionLine } from "../transfer/collection-header.ts";
import { ITEM_COLUMNS, readItemRow } from "../transfer/item-parquet.ts";
import { PARQUET } from "../transfer/parquet-rows.ts";
import { eachRow, itemOrProblem, openParquetRecords } from "../transfer/record-source.ts";
import type { LineLimit } from "../embedding/text-lines.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { unreadable } from "../file-error.ts";
import { formatCount } from "../terminal/format.ts";
import { parseItemLine, type ItemRow } from "./item-line.ts";
import { openNpy, type NpyMatrix } from "./npy-file.ts";
import type { VectorShape } from "./vector-text.ts";

/** How far one has read: so many lines or rows, which have so many bytes. */
export interface Position {
  lines: number;
  bytes: number;
}

export const BEGINNING: Position = { lines: 0, bytes: 0 };

/** One row of a file. */
export interface SourceRow<Item = ItemRow> {
  /** What is wrong with it is a text. */
  item: Item | string;
  /** Number of its line or row, from 1. */
  line: number;
  /** About what it takes in a message. */
  bytes: number;
  /** Right behind it. */
  end: Position;
}

/** What tells a file from another one, or from what it was before. */
export interface FileState {
  size: number;
  modifiedMs: number;
}

export interface ItemSource<Item = ItemRow> extends AsyncDisposable {
  /** For people, e.g. "songs.jsonl". */
  name: string;
  /** "line" or "row". */
  unit: string;
  rows: AsyncIterable<SourceRow<Item>>;
  /** Share of a file that ends there; undefined for a pipe. */
  shareAt: ((position: Position) => number) | undefined;
}

interface SourceOptions {
  shape: VectorShape;
  /** Keys of a matrix, one a line. */
  keys: string | undefined;
  start: Position;
  stdin: Readable;
  signal: AbortSignal;
}

const LINE_LIMIT: LineLimit = {
  bytes: 16 * 2 ** 20,
  what: "an item",
  remedy: 'Each line is one item, e.g. {"key": "a", "text": "…"}. Is it a file of JSON lines?',
};

const NPY = ".npy";
const JSON_LINES = new Set([".jsonl", ".ndjson"]);

/** State of the files that rows come from: first the vectors', then the keys'. Of a pipe, nothing. @throws Failure */
export async function statesOf(path: string, keys: string | undefined): Promise<FileState[] | undefined> {
  if (path === "-") return undefined;
  return await Promise.all(
    [path, ...(keys === undefined ? [] : [keys])].map(async (name) => {
      try {
        const { size, mtimeMs } = await stat(name);
        return { size, modifiedMs: mtimeMs };
      } catch (error) {
        throw unreadable(name, error);
      }
    }),
  );
}

/** @throws Failure when the file cannot be read, or is of no kind that is known. */
export async function openItemSource(path: string, options: SourceOptions): Promise<ItemSource> {
  const extension = extname(path).toLowerCase();
  if (extension === NPY) return await openMatrix(path, options);
  if (extension === PARQUET) return await openParquet(path, options);
  if (path !== "-" && !JSON_LINES.has(extension)) {
    throw new Failure(`${path}: its extension says what is in a file, and it is none of those known.`, {
      exitCode: EXIT.usage,
      remedy:
        "Give it one of .jsonl (JSON lines), .parquet or .npy (NumPy, float32, with --keys); - is JSON lines from standard input",
    });
  }
  if (options.keys !== undefined) throw needlessKeys("lines of JSON have their keys in them");
  const { stdin, signal, start, shape } = options;
  const source = await openTextSource(path, { stdin, signal, limit: LINE_LIMIT, start });
  const { totalBytes } = source;
  return {
    name: path === "-" ? "standard input" : path,
    unit: "line",
    rows: lineRows(source, shape, start.lines),
    shareAt: totalBytes === undefined ? undefined : ({ bytes }) => bytes / Math.max(totalBytes, 1),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

function needlessKeys(reason: string): Failure {
  return new Failure(`--keys is for .npy files: ${reason}.`, { exitCode: EXIT.usage });
}

async function openParquet(path: string, { shape, keys, start, signal }: SourceOptions): Promise<ItemSource> {
  if (keys !== undefined) throw needlessKeys("a Parquet file has its keys in the column key");
  return await openParquetRecords(
    path,
    { columns: ITEM_COLUMNS, fromRows: eachRow((row) => readItemRow(row, shape)) },
    { start, signal },
  );
}

async function* lineRows(
  { lines }: TextSource,
  shape: VectorShape,
  before: number,
): AsyncGenerator<SourceRow> {
  let number = before;
  for await (const { text, bytes, end } of lines) {
    number += 1;
    if (text.trim() === "" || (number === 1 && isCollectionLine(text))) continue;
    yield {
      item: itemOrProblem(() => parseItemLine(text, shape)),
      line: number,
      bytes,
      end: { lines: number, bytes: end },
    };
  }
}

/** Rows that are read at a time. */
const MATRIX_BYTES = 4 * 2 ** 20;

async function openMatrix(path: string, options: SourceOptions): Promise<ItemSource> {
  const { shape, keys, start, stdin, signal } = options;
  if (keys === undefined) {
    throw new Failure(`${path} has no keys: name the file with them, one a line, by --keys.`, {
      exitCode: EXIT.usage,
      remedy: `e.g. kindred vectors import COLLECTION ${path} --keys keys.txt`,
    });
  }
  if (shape.elementType === ElementType.BIT) {
    throw new Failure("A matrix of float32 cannot go into a collection of bits.", {
      exitCode: EXIT.usage,
      remedy: 'Write lines of JSON instead: {"key": "a", "vector": "0110…"}',
    });
  }
  await using opening = new AsyncDisposableStack();
  const matrix = opening.use(await openNpy(path));
  if (matrix.columns !== shape.dimensions) {
    throw new Failure(
      `${path} has rows of ${matrix.columns} dimensions, not the collection's ${shape.dimensions}.`,
      {
        exitCode: EXIT.data,
      },
    );
  }
  const count = await countLines(keys, { stdin, signal });
  if (count !== matrix.rows) {
    throw new Failure(
      `${keys} has ${formatCount(count)} keys, and ${path} ${formatCount(matrix.rows)} rows.`,
      {
        exitCode: EXIT.data,
      },
    );
  }
  const keyLines = opening.use(await openTextSource(keys, { stdin, signal, start }));
  const owned = opening.move();
  return {
    name: path,
    unit: "row",
    rows: matrixRows(matrix, keyLines, start),
    shareAt: ({ lines }) => lines / Math.max(matrix.rows, 1),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function countLines(path: string, options: { stdin: Readable; signal: AbortSignal }): Promise<number> {
  await using source = await openTextSource(path, options);
  const lines = source.lines[Symbol.asyncIterator]();
  let count = 0;
  while (!(await lines.next()).done) count += 1;
  return count;
}

async function* matrixRows(matrix: NpyMatrix, keys: TextSource, start: Position): AsyncGenerator<SourceRow> {
  const rowBytes = matrix.columns * Float32Array.BYTES_PER_ELEMENT;
  const atOnce = Math.max(1, Math.floor(MATRIX_BYTES / rowBytes));
  let chunk: Uint8Array = new Uint8Array(0);
  let from = start.lines;
  let row = start.lines;
  for await (const { text: key, end } of keys.lines) {
    if (row * rowBytes >= from * rowBytes + chunk.byteLength) {
      from = row;
      chunk = await matrix.read(from, Math.min(from + atOnce, matrix.rows));
    }
    const at = (row - from) * rowBytes;
    row += 1;
    const item = {
      key,
      vector: chunk.subarray(at, at + rowBytes),
      text: undefined,
      metadata: undefined,
      document: undefined,
    };
    yield {
      item: key === "" ? "its key is empty" : item,
      line: row,
      bytes: rowBytes + key.length,
      end: { lines: row, bytes: end },
    };
  }
}
