import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { KindredError } from "@kindred/errors";
import type { ColumnMetaData, DecodedArray, Encoding, PageHeader, ParquetType } from "hyparquet";
import { parquetHeader, readPage } from "hyparquet/src/column.js";
import { convert, convertWithDictionary } from "hyparquet/src/convert.js";
import { decompressPage, readDataPage, readDataPageV2 } from "hyparquet/src/datapage.js";
import { decompressors } from "./codecs.ts";
import type { ReadableColumn } from "./columns.ts";
import { FileWindow } from "./file-window.ts";
import { ListAssembler } from "./lists.ts";
import { parsers } from "./parsers.ts";

/** Headers are some tens of bytes, more with bounds of long texts. */
const HEADER_BYTES = 16 * 1024;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
/** Of values in a page; writers make pages of a megabyte. Beyond it a few bytes would be made into gigabytes. */
const MAX_PAGE_VALUES = 2 ** 24;
const MAX_PAGE_BYTES = 2 ** 30;

/** Which types an encoding is for, where not for all: https://parquet.apache.org/docs/file-format/data-pages/encodings/ */
const encodedTypes: Readonly<Partial<Record<Encoding, readonly ParquetType[]>>> = {
  RLE: ["BOOLEAN"],
  BIT_PACKED: [],
  DELTA_BINARY_PACKED: ["INT32", "INT64"],
  DELTA_LENGTH_BYTE_ARRAY: ["BYTE_ARRAY"],
  DELTA_BYTE_ARRAY: ["BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"],
};

/**
 * The values of one column of one row group, page by page: hyparquet's own reading decodes whole row groups, which are
 * gigabytes in files of other writers. Any error that it throws that is no error of the file system means damage.
 */
export class PageCursor {
  readonly #column: ReadableColumn;
  readonly #window: FileWindow;
  readonly #decoder;
  readonly #groupRows: number;
  #dictionary: DecodedArray | undefined;
  readonly #lists: ListAssembler | undefined;
  #given = 0;
  /** Of the pages that have not been read; missing ones count. */
  #valuesLeft: number;

  constructor(file: FileHandle, column: ReadableColumn, chunk: ColumnMetaData, groupRows: number) {
    this.#column = column;
    this.#groupRows = groupRows;
    this.#valuesLeft = Number(chunk.num_values);
    this.#lists = column.list ? new ListAssembler(column.path, column.type === "float32s") : undefined;
    const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
    const first = Math.min(start, Number(chunk.data_page_offset));
    this.#window = new FileWindow(file, first, first + Number(chunk.total_compressed_size));
    this.#decoder = {
      pathInSchema: chunk.path_in_schema,
      element: column.leaf.element,
      schemaPath: column.path,
      type: chunk.type,
      codec: chunk.codec,
      compressors: decompressors,
      parsers,
      utf8: false,
    };
  }

  /** Where it stands in the file, for messages. */
  get position(): number {
    return this.#window.position;
  }

  /** Rows that have not been given. */
  get left(): number {
    return this.#groupRows - this.#given;
  }

  /** Rows of the next page that has whole rows; `skip` of them, at most, may be left out, and `skipped` says how many were. */
  async next(skip: number): Promise<{ values: ArrayLike<unknown>; skipped: number }> {
    for (;;) {
      if (this.#valuesLeft === 0) return this.#last();
      const header = await this.#header();
      if (header.type === "DATA_PAGE" || header.type === "DATA_PAGE_V2") {
        this.#checkEncoding(header);
        this.#valuesLeft -= valuesOf(header) ?? 0;
        if (this.#valuesLeft < 0) throw new RangeError("its pages have more values than it says");
        const rows = rowsOf(header, this.#column.list);
        if (rows !== undefined && rows <= skip && this.#lists?.begun !== true) {
          this.#window.skip(header.compressed_page_size);
          return this.#give([], rows);
        }
        const values = await this.#page(header);
        if (values.length > 0) return this.#give(values, 0);
      } else if (header.type === "DICTIONARY_PAGE") {
        await this.#readDictionary(header);
      } else {
        this.#window.skip(header.compressed_page_size);
      }
    }
  }

  #last(): { values: ArrayLike<unknown>; skipped: number } {
    const values = this.#lists?.begun === true ? [this.#lists.end()] : [];
    if (this.#given + values.length !== this.#groupRows)
      throw new RangeError(`has ${this.#given + values.length} values for ${this.#groupRows} rows`);
    return this.#give(values, 0);
  }

  #give(values: ArrayLike<unknown>, skipped: number): { values: ArrayLike<unknown>; skipped: number } {
    this.#given += values.length + skipped;
    if (this.#given > this.#groupRows)
      throw new RangeError(`has more values than the ${this.#groupRows} rows`);
    return { values, skipped };
  }

  async #header(): Promise<PageHeader> {
    for (let size = HEADER_BYTES; ; size *= 8) {
      const bytes = await this.#window.peek(size);
      const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
      try {
        const header = parquetHeader(reader);
        this.#window.skip(reader.offset);
        checkHeader(header, this.#window.left);
        return header;
      } catch (error) {
        const whole = bytes.byteLength < size || size >= MAX_HEADER_BYTES;
        if (!(error instanceof RangeError) || whole || reader.offset < bytes.byteLength) throw error;
      }
    }
  }

  /** Decoding values by an encoding that they cannot have gives other values, not an error. */
  #checkEncoding(header: PageHeader): void {
    const encoding = (header.data_page_header_v2 ?? header.data_page_header)?.encoding;
    const { type } = this.#decoder;
    const possible =
      encoding === "PLAIN_DICTIONARY" || encoding === "RLE_DICTIONARY"
        ? this.#dictionary !== undefined
        : encoding !== undefined && encodedTypes[encoding]?.includes(type) !== false;
    if (!possible) throw new RangeError(`a page of ${type} values cannot be encoded by ${encoding}`);
  }

  async #body(header: PageHeader): Promise<{ view: DataView<ArrayBuffer>; offset: number }> {
    const bytes = await this.#window.peek(header.compressed_page_size);
    this.#window.skip(bytes.byteLength);
    if (header.crc !== undefined && crc32(bytes) !== header.crc >>> 0)
      throw new RangeError("a page has another checksum than its header says");
    return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  }

  async #readDictionary(header: PageHeader): Promise<void> {
    const count = header.dictionary_page_header?.num_values ?? 0;
    if (count > header.uncompressed_page_size)
      throw new RangeError("a dictionary has more values than bytes");
    const { data } = readPage(await this.#body(header), header, this.#decoder, undefined, undefined, 0);
    this.#dictionary = convert(data ?? [], this.#decoder);
  }

  async #page(header: PageHeader): Promise<ArrayLike<unknown>> {
    const body = await this.#body(header);
    if (this.#lists !== undefined) return this.#listPage(this.#lists, header, body.view);
    const { data: values = [] } = readPage(body, header, this.#decoder, this.#dictionary, undefined, 0);
    if (values.length !== valuesOf(header))
      throw new RangeError("a page has another number of values than it says");
    const missing = header.data_page_header_v2?.num_nulls;
    if (missing !== undefined && missing !== missingOf(values))
      throw new RangeError("a page lacks other values than it says");
    return this.#column.convert(checked(values));
  }

  #listPage(lists: ListAssembler, header: PageHeader, view: DataView<ArrayBuffer>): unknown[] {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const { codec } = this.#decoder;
    const v1 = header.data_page_header;
    const { definitionLevels, repetitionLevels, dataPage } =
      v1 === undefined
        ? readDataPageV2(bytes, header, this.#decoder)
        : readDataPage(
            decompressPage(bytes, header.uncompressed_page_size, codec, decompressors),
            v1,
            this.#decoder,
          );
    const encoding = (header.data_page_header_v2 ?? v1)?.encoding ?? "PLAIN";
    const values = checked(convertWithDictionary(dataPage, this.#dictionary, encoding, this.#decoder));
    return lists.page(values, definitionLevels ?? [], repetitionLevels);
  }
}

function missingOf(values: DecodedArray): number {
  if (!Array.isArray(values)) return 0;
  let missing = 0;
  for (const value of values) if (value === null) missing++;
  return missing;
}

/** An index beyond the dictionary gives undefined. */
function checked(values: DecodedArray): DecodedArray {
  if (Array.isArray(values) && values.includes(undefined))
    throw new RangeError("a value is not in the dictionary");
  return values;
}

function checkHeader(header: PageHeader, left: number): void {
  const { compressed_page_size: size, uncompressed_page_size: full } = header;
  const bytes = (value: unknown, most: number): boolean =>
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
  if (!bytes(size, left)) throw new RangeError("a page reaches beyond its column");
  if (!bytes(full, MAX_PAGE_BYTES)) throw tooLarge(`${full} bytes`);
  const values = valuesOf(header);
  if (values !== undefined && !bytes(values, MAX_PAGE_VALUES)) throw tooLarge(`${values} values`);
  const v2 = header.data_page_header_v2;
  if (v2 === undefined) return;
  const levels = v2.definition_levels_byte_length + v2.repetition_levels_byte_length;
  if (!bytes(levels, Math.min(size, full)) || !bytes(v2.num_nulls, v2.num_values))
    throw new RangeError("a page's header contradicts itself");
}

const tooLarge = (what: string): KindredError =>
  new KindredError("unimplemented", `a page of ${what} is more than is read; write smaller pages`);

const valuesOf = (header: PageHeader): number | undefined =>
  header.data_page_header_v2?.num_values ??
  header.data_page_header?.num_values ??
  header.dictionary_page_header?.num_values;

/** Rows of a page where its header tells: in the older pages of lists it does not. */
function rowsOf(header: PageHeader, list: boolean): number | undefined {
  if (header.data_page_header_v2 !== undefined) return header.data_page_header_v2.num_rows;
  return list ? undefined : header.data_page_header?.num_values;
}
