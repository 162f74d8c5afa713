import type { Readable } from "node:stream";
import { extname } from "node:path";
import { messageOf } from "@kindred/errors";
import { openTextSource } from "../embedding/text-source.ts";
import type { LineLimit } from "../embedding/text-lines.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import type { ItemSource, Position, SourceRow } from "../vectors/item-source.ts";
import { bytesOfRow, openParquetRows, PARQUET, type KnownColumns, type ParquetRows } from "./parquet-rows.ts";

/** How the records of a file are read. What its functions throw says what is wrong with a line or row. */
export interface RecordFormat<Item> {
  fromLine: (line: string) => Item;
  columns: KnownColumns;
  /** Of each row, with `end` and `line` of its last one where it is made of several. */
  fromRows: (rows: AsyncIterable<NumberedRow>, file: ParquetRows) => AsyncIterable<SourceRow<Item>>;
  limit: LineLimit;
  /** About what a record takes in a message, when not what its line does. */
  weightOf?: (item: Item, lineBytes: number) => number;
}

/** A row of a Parquet file, with its number from 1. */
export interface NumberedRow {
  values: Readonly<Record<string, unknown>>;
  line: number;
  bytes: number;
}

interface OpenOptions {
  start: Position;
  stdin: Readable;
  signal: AbortSignal;
}

export const JSON_LINES: ReadonlySet<string> = new Set([".jsonl", ".ndjson"]);

/** Records of a file of JSON lines (- for standard input) or of a Parquet file. @throws Failure when it cannot be read. */
export async function openRecordSource<Item>(
  path: string,
  format: RecordFormat<Item>,
  { start, stdin, signal }: OpenOptions,
): Promise<ItemSource<Item>> {
  const extension = extname(path).toLowerCase();
  if (extension === PARQUET) return await openParquetRecords(path, format, { start, signal });
  if (path !== "-" && !JSON_LINES.has(extension)) {
    throw new Failure(`${path}: its extension says what is in a file, and it is none of those known.`, {
      exitCode: EXIT.usage,
      remedy: "Give it one of .jsonl (JSON lines) or .parquet; - is JSON lines from standard input",
    });
  }
  const source = await openTextSource(path, { stdin, signal, limit: format.limit, start });
  const { totalBytes } = source;
  return {
    name: path === "-" ? "standard input" : path,
    unit: "line",
    rows: lineRecords(source.lines, format, start.lines),
    shareAt: totalBytes === undefined ? undefined : ({ bytes }) => bytes / Math.max(totalBytes, 1),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

async function* lineRecords<Item>(
  lines: AsyncIterable<{ text: string; bytes: number; end: number }>,
  { fromLine, weightOf }: RecordFormat<Item>,
  before: number,
): AsyncGenerator<SourceRow<Item>> {
  let number = before;
  for await (const { text, bytes, end } of lines) {
    number += 1;
    if (text.trim() === "") continue;
    const item = itemOrProblem(() => fromLine(text));
    yield {
      item,
      line: number,
      bytes: typeof item === "string" ? bytes : (weightOf?.(item, bytes) ?? bytes),
      end: { lines: number, bytes: end },
    };
  }
}

/** Records of a Parquet file. @throws Failure when it cannot be read, or has not the columns of the format. */
export async function openParquetRecords<Item>(
  path: string,
  format: Pick<RecordFormat<Item>, "columns" | "fromRows">,
  { start, signal }: Omit<OpenOptions, "stdin">,
): Promise<ItemSource<Item>> {
  const file = await openParquetRows(path, format.columns, signal);
  return {
    name: path,
    unit: "row",
    rows: format.fromRows(numbered(file.rows(start.lines), start.lines), file),
    shareAt: ({ lines }) => lines / Math.max(file.total, 1),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

async function* numbered(
  rows: AsyncIterable<NumberedRow["values"]>,
  before: number,
): AsyncGenerator<NumberedRow> {
  let line = before;
  for await (const values of rows) {
    line += 1;
    yield { values, line, bytes: bytesOfRow(values) };
  }
}

/** One record a row. */
export function eachRow<Item>(fromRow: (values: NumberedRow["values"]) => Item) {
  return async function* (rows: AsyncIterable<NumberedRow>): AsyncGenerator<SourceRow<Item>> {
    for await (const { values, line, bytes } of rows)
      yield { item: itemOrProblem(() => fromRow(values)), line, bytes, end: { lines: line, bytes: 0 } };
  };
}

/** What is wrong is a text. */
export function itemOrProblem<Item>(parse: () => Item): Item | string {
  try {
    return parse();
  } catch (error) {
    return messageOf(error);
  }
}
