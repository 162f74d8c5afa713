import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { ColumnMetaData, DecodedArray, PageHeader } from "hyparquet";
import { assembleNested } from "hyparquet/src/assemble.js";
import { parquetHeader, readPage } from "hyparquet/src/column.js";
import { convert } from "hyparquet/src/convert.js";
import { decompressors } from "./codecs.ts";
import type { ReadableColumn } from "./columns.ts";
import { FileWindow } from "./file-window.ts";
import { parsers } from "./parsers.ts";

/** Headers are some tens of bytes, more with bounds of long texts. */
const HEADER_BYTES = 16 * 1024;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
/** Of values in a page; writers make pages of a megabyte. Beyond it a few bytes would be made into gigabytes. */
const MAX_PAGE_VALUES = 2 ** 26;
const MAX_PAGE_BYTES = 2 ** 30;

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
  /** The last row of a list column's page, which the next page may continue. */
  #unfinished: unknown[] = [];
  #given = 0;
  /** Of the pages that have not been read; missing ones count. */
  #valuesLeft: number;

  constructor(file: FileHandle, column: ReadableColumn, chunk: ColumnMetaData, groupRows: number) {
    this.#column = column;
    this.#groupRows = groupRows;
    this.#valuesLeft = Number(chunk.num_values);
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
        this.#valuesLeft -= valuesOf(header) ?? 0;
        if (this.#valuesLeft < 0) throw new RangeError("its pages have more values than it says");
        const rows = rowsOf(header, this.#column.list);
        if (rows !== undefined && rows <= skip && this.#unfinished.length === 0) {
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
    const values = this.#unfinished;
    this.#unfinished = [];
    if (this.#given + values.length !== this.#groupRows)
      throw new RangeError(`has ${this.#given + values.length} values for ${this.#groupRows} rows`);
    return this.#give(this.#assembled(values), 0);
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
    const begun = this.#column.list ? this.#unfinished : undefined;
    const { data } = readPage(body, header, this.#decoder, this.#dictionary, begun, 0);
    const values = data ?? [];
    if (!this.#column.list) {
      if (values.length !== valuesOf(header))
        throw new RangeError("a page has another number of values than it says");
      return this.#converted(values);
    }
    const rows = values as unknown[];
    this.#unfinished = rows.length === 0 ? [] : [rows.pop()];
    return this.#assembled(rows);
  }

  #assembled(rows: unknown[]): ArrayLike<unknown> {
    if (rows.length === 0) return rows;
    const { tree, leaf } = this.#column;
    const columns = new Map<string, DecodedArray>([[leaf.path.join("."), rows]]);
    assembleNested(columns, tree, parsers);
    return this.#converted(columns.get(tree.path.join(".")) ?? []);
  }

  #converted(values: DecodedArray): ArrayLike<unknown> {
    // An index beyond the dictionary gives undefined.
    if (Array.isArray(values) && values.includes(undefined)) {
      if (this.#column.list && this.#column.nullable) {
        for (let row = 0; row < values.length; row++) values[row] ??= null;
      } else throw new RangeError("a value is not in the dictionary");
    }
    return this.#column.convert(values);
  }
}

function checkHeader(header: PageHeader, left: number): void {
  const { compressed_page_size: size, uncompressed_page_size: full } = header;
  const bytes = (value: unknown, most: number): boolean =>
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
  if (!bytes(size, left)) throw new RangeError("a page reaches beyond its column");
  if (!bytes(full, MAX_PAGE_BYTES)) throw new RangeError(`a page of ${full} bytes is more than is read`);
  const values = valuesOf(header);
  if (values !== undefined && !bytes(values, MAX_PAGE_VALUES))
    throw new RangeError(`a page of ${values} values is more than is read`);
  const v2 = header.data_page_header_v2;
  if (v2 === undefined) return;
  const levels = v2.definition_levels_byte_length + v2.repetition_levels_byte_length;
  if (!bytes(levels, Math.min(size, full)) || !bytes(v2.num_nulls, v2.num_values))
    throw new RangeError("a page's header contradicts itself");
}

const valuesOf = (header: PageHeader): number | undefined =>
  header.data_page_header_v2?.num_values ??
  header.data_page_header?.num_values ??
  header.dictionary_page_header?.num_values;

/** Rows of a page where its header tells: in the older pages of lists it does not. */
function rowsOf(header: PageHeader, list: boolean): number | undefined {
  if (header.data_page_header_v2 !== undefined) return header.data_page_header_v2.num_rows;
  return list ? undefined : header.data_page_header?.num_values;
}
