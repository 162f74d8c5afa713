import { crc32 } from "node:zlib";
import type { ColumnChunk, ParquetType, SchemaElement, SchemaTree } from "hyparquet";
import { parquetSchema } from "hyparquet";
import { ByteWriter, type ParquetWriter as FileEncoder } from "hyparquet-writer";
import { writeColumn } from "hyparquet-writer/src/column.js";
import { writePageHeader } from "hyparquet-writer/src/datapage.js";
import { writeRleBitPackedHybrid } from "hyparquet-writer/src/encoding.js";
import { writePlain } from "hyparquet-writer/src/plain.js";
import { compressors } from "./codecs.ts";
import { encodingOf } from "./schema.ts";
import type { ParquetColumn } from "./types.ts";

const PAGE_BYTES = 1024 * 1024;
const CODEC = "ZSTD";

/**
 * Appends a row group to the encoder's buffer: `data` has the physical values of each column, in their order, null where
 * one is missing. hyparquet-writer's own does the same with an object for every element of a list, which takes fifty times a
 * vector's bytes; lists are taken apart here.
 */
export function writeRowGroup(
  encoder: FileEncoder,
  columns: readonly ParquetColumn[],
  data: readonly (readonly unknown[])[],
): void {
  const { children } = parquetSchema({ schema: encoder.schema });
  const start = encoder.writer.offset;
  const rows = BigInt(data[0]?.length ?? 0);
  const chunks = columns.map((column, index) => {
    const values = data[index] as readonly unknown[];
    const tree = children[index] as SchemaTree;
    return tree.children.length > 0
      ? writeLists(encoder, tree, column, values)
      : writeValues(encoder, tree, column, values);
  });
  encoder.num_rows += rows;
  encoder.row_groups.push({
    columns: chunks,
    num_rows: rows,
    total_byte_size: chunks.reduce(
      (sum, chunk) => sum + (chunk.meta_data?.total_uncompressed_size ?? 0n),
      0n,
    ),
    total_compressed_size: BigInt(encoder.writer.offset - start),
  });
}

type Writer = FileEncoder["writer"];
type ColumnEncoder = Parameters<typeof writeColumn>[0]["column"];

function columnEncoder(encoder: FileEncoder, column: ParquetColumn, element: SchemaElement): ColumnEncoder {
  const { encoding, statistics } = encodingOf(column);
  return {
    columnName: column.name,
    element,
    schemaPath: [encoder.schema[0] as SchemaElement, element],
    codec: CODEC,
    compressors,
    stats: statistics,
    pageSize: PAGE_BYTES,
    columnIndex: false,
    offsetIndex: true,
    ...(encoding === undefined ? {} : { encoding }),
  };
}

/** By its converted type hyparquet-writer would make JSON of what is JSON already. */
function bareElement(element: SchemaElement): SchemaElement {
  const bare = { ...element };
  delete bare.converted_type;
  return bare;
}

function writeValues(
  encoder: FileEncoder,
  { element }: SchemaTree,
  column: ParquetColumn,
  values: readonly unknown[],
): ColumnChunk {
  const written = writeColumn({
    writer: encoder.writer,
    column: columnEncoder(encoder, column, column.type === "json" ? bareElement(element) : element),
    pageData: {
      values: values as unknown[],
      definitionLevels: column.nullable ? values.map((value) => (value === null ? 0 : 1)) : [],
      repetitionLevels: [],
      maxDefinitionLevel: column.nullable ? 1 : 0,
    },
  });
  encoder.pendingIndexes.push(written);
  return written.chunk;
}

type List = Float32Array | readonly string[];

interface ListPage {
  values: Float32Array | string[];
  definitions: number[];
  repetitions: number[];
  /** The definition level of an element, 1 or 2, which is also how many bits the levels have. */
  full: number;
}

function writeLists(
  encoder: FileEncoder,
  tree: SchemaTree,
  column: ParquetColumn,
  rows: readonly unknown[],
): ColumnChunk {
  const { writer } = encoder;
  const list = tree.children[0] as SchemaTree;
  const leaf = list.children[0] as SchemaTree;
  const type = leaf.element.type as ParquetType;
  const start = writer.offset;
  let uncompressed = 0;
  let values = 0;
  for (const [from, to] of pagesOf(rows as readonly (List | null)[])) {
    const page = levelsOf(rows.slice(from, to) as (List | null)[], column);
    values += page.definitions.length;
    uncompressed += writePage(writer, type, page);
  }
  return {
    file_offset: BigInt(start),
    meta_data: {
      type,
      encodings: ["PLAIN", "RLE"],
      path_in_schema: leaf.path,
      codec: CODEC,
      num_values: BigInt(values),
      total_uncompressed_size: BigInt(uncompressed),
      total_compressed_size: BigInt(writer.offset - start),
      data_page_offset: BigInt(start),
    },
  };
}

/**
 * A page of version 1, whose levels are compressed with the values: the checksum is one of both, where a changed bit of
 * the bare levels of version 2 moves elements from one list to the next.
 *
 * @returns its bytes before compression, with the header
 */
function writePage(writer: Writer, type: ParquetType, page: ListPage): number {
  const body = new ByteWriter(PAGE_BYTES);
  for (const [levels, bits] of [
    [page.repetitions, 1],
    [page.definitions, page.full],
  ] as const) {
    const encoded = new ByteWriter();
    writeRleBitPackedHybrid(encoded, levels, bits);
    body.appendUint32(encoded.offset);
    body.appendBytes(encoded.getBytes());
  }
  writePlain(body, page.values, type, undefined);
  const compressed = compressors[CODEC](body.getBytes());
  const start = writer.offset;
  writePageHeader(writer, {
    type: "DATA_PAGE",
    uncompressed_page_size: body.offset,
    compressed_page_size: compressed.byteLength,
    crc: crc32(compressed) | 0,
    data_page_header: {
      num_values: page.definitions.length,
      encoding: "PLAIN",
      definition_level_encoding: "RLE",
      repetition_level_encoding: "RLE",
    },
  });
  const header = writer.offset - start;
  writer.appendBytes(compressed);
  return header + body.offset;
}

/** Rows of each page, from and to; a row is never in two of them. */
function* pagesOf(rows: readonly (List | null)[]): Generator<[number, number]> {
  let from = 0;
  let bytes = 0;
  for (const [row, list] of rows.entries()) {
    if (list instanceof Float32Array) bytes += list.byteLength;
    else for (const text of list ?? []) bytes += text.length + 4;
    if (bytes < PAGE_BYTES) continue;
    yield [from, row + 1];
    from = row + 1;
    bytes = 0;
  }
  if (from < rows.length) yield [from, rows.length];
}

/**
 * The elements of lists, one after the other, with what says where each list begins: the levels of the Dremel paper, as in
 * https://parquet.apache.org/docs/file-format/nestedencoding/. A missing or empty list has a level and no element.
 */
function levelsOf(rows: readonly (List | null)[], { nullable }: ParquetColumn): ListPage {
  const empty = nullable ? 1 : 0;
  const full = empty + 1;
  const definitions: number[] = [];
  const repetitions: number[] = [];
  for (const list of rows) {
    const length = list?.length ?? 0;
    if (length === 0) {
      definitions.push(list === null ? 0 : empty);
      repetitions.push(0);
    }
    for (let i = 0; i < length; i++) {
      definitions.push(full);
      repetitions.push(i === 0 ? 0 : 1);
    }
  }
  return { values: joined(rows), definitions, repetitions, full };
}

function joined(rows: readonly (List | null)[]): Float32Array | string[] {
  if (!rows.some((list) => list instanceof Float32Array))
    return rows.flatMap((list) => (list ?? []) as readonly string[]);
  const vectors = rows as readonly (Float32Array | null)[];
  const values = new Float32Array(vectors.reduce((sum, list) => sum + (list?.length ?? 0), 0));
  let at = 0;
  for (const list of vectors) {
    if (list === null) continue;
    values.set(list, at);
    at += list.length;
  }
  return values;
}
