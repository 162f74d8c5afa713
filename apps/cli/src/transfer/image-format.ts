import { messageOf } from "@kindred/errors";
import type { SourceRow } from "../vectors/item-source.ts";
import { IMAGE_COLUMNS, imageOfRows, readImageRow, type ReadImageRow } from "./image-parquet.ts";
import { parseImageLine, type ImageRecord } from "./image-record.ts";
import type { ParquetRows } from "./parquet-rows.ts";
import { itemOrProblem, type NumberedRow, type RecordFormat } from "./record-source.ts";
import { IMAGE_LIMITS, weightOf } from "./send-images.ts";

/** An image a line, or an embedding a row of a Parquet file. */
export const imageFormat: RecordFormat<ImageRecord> = {
  fromLine: parseImageLine,
  columns: IMAGE_COLUMNS,
  fromRows: imagesOfRows,
  limit: {
    bytes: 64 * 2 ** 20,
    what: "an image",
    remedy:
      'Each line is one image, e.g. {"image_path": "cats/1.jpg", "description": "A cat."}. Is it a file of JSON lines?',
  },
  weightOf,
};

/** Embeddings of an image in one request; the rows of one with more become several records, which add up in the store. */
const MAX_EMBEDDINGS = IMAGE_LIMITS.embeddings;
const EMBEDDING_COLUMNS = ["embedding_key", "vector", "text"];

/** The rows of one image that follow each other, and where the last of them ends. */
interface Group {
  rows: ReadImageRow[];
  line: number;
  lastLine: number;
  bytes: number;
}

async function* imagesOfRows(
  rows: AsyncIterable<NumberedRow>,
  { columns }: ParquetRows,
): AsyncGenerator<SourceRow<ImageRecord>> {
  const saysEmbeddings = EMBEDDING_COLUMNS.some((name) => columns.has(name));
  let group: Group | undefined;
  for await (const { values, line, bytes } of rows) {
    let row: ReadImageRow;
    try {
      row = readImageRow(values);
    } catch (error) {
      if (group) yield toRecord(group, saysEmbeddings);
      group = undefined;
      yield { item: messageOf(error), line, bytes, end: { lines: line, bytes: 0 } };
      continue;
    }
    const continues =
      group?.rows[0]?.path === row.path &&
      group.rows.length < MAX_EMBEDDINGS &&
      group.bytes + bytes <= IMAGE_LIMITS.bytes;
    if (group && !continues) {
      yield toRecord(group, saysEmbeddings);
      group = undefined;
    }
    group ??= { rows: [], line, lastLine: line, bytes: 0 };
    group.rows.push(row);
    group.lastLine = line;
    group.bytes += bytes;
  }
  if (group) yield toRecord(group, saysEmbeddings);
}

function toRecord({ rows, line, lastLine, bytes }: Group, saysEmbeddings: boolean): SourceRow<ImageRecord> {
  const item = itemOrProblem(() => imageOfRows(rows, saysEmbeddings));
  return {
    item,
    line,
    bytes: typeof item === "string" ? bytes : weightOf(item, bytes),
    end: { lines: lastLine, bytes: 0 },
  };
}
