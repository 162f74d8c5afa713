import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { KindredError } from "@kindred/errors";
import type { ColumnMetaData, DecodedArray, PageHeader } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import type { ReadableColumn } from "./columns.ts";
import { FileWindow } from "./file-window.ts";
import { ListAssembler } from "./lists.ts";
import { PageDecoder } from "./pages.ts";

/** Headers are some tens of bytes, more with bounds of long texts. */
const HEADER_BYTES = 16 * 1024;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
/** Of values in a page; writers make pages of a megabyte. Beyond it a few bytes would be made into gigabytes. */
const MAX_PAGE_VALUES = 2 ** 24;
const MAX_PAGE_BYTES = 2 ** 30;

export interface CursorPage {
  values: ArrayLike<unknown>;
  /** Rows that were left out instead. */
  skipped: number;
  /** What the page took in the file, uncompressed. */
  bytes: number;
}

/**
 * The values of one column of one row group, page by page: hyparquet's own reading decodes whole row groups, which are
 * gigabytes in files of other writers. Any error that it throws that is no error of the file system means damage.
 */
export class PageCursor {
  readonly #column: ReadableColumn;
  readonly #window: FileWindow;
  readonly #decoder: PageDecoder;
  readonly #groupRows: number;
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
    this.#decoder = new PageDecoder(column, chunk.type, chunk.codec);
  }

  /** Rows that have not been given. */
  get left(): number {
    return this.#groupRows - this.#given;
  }

  /** The rows of the next page that has whole rows; `skip` rows, at most, may be left out. */
  async next(skip: number): Promise<CursorPage> {
    for (;;) {
      if (this.#valuesLeft === 0) return this.#last();
      const header = await this.#header();
      if (header.type === "DATA_PAGE" || header.type === "DATA_PAGE_V2") {
        this.#valuesLeft -= valuesOf(header) ?? 0;
        if (this.#valuesLeft < 0) throw new RangeError("its pages have more values than it says");
        const rows = rowsOf(header, this.#column.list);
        if (rows !== undefined && rows <= skip && this.#lists?.begun !== true) {
          this.#window.skip(header.compressed_page_size);
          return this.#give([], rows);
        }
        const values = await this.#page(header);
        if (values.length > 0) return this.#give(values, 0, header.uncompressed_page_size);
      } else if (header.type === "DICTIONARY_PAGE") {
        this.#decoder.readDictionary(header, await this.#body(header));
      } else {
        this.#window.skip(header.compressed_page_size);
      }
    }
  }

  #last(): CursorPage {
    const values = this.#lists?.begun === true ? [this.#lists.end()] : [];
    if (this.#given + values.length !== this.#groupRows)
      throw new RangeError(`has ${this.#given + values.length} values for ${this.#groupRows} rows`);
    return this.#give(values, 0);
  }

  #give(values: ArrayLike<unknown>, skipped: number, bytes = 0): CursorPage {
    this.#given += values.length + skipped;
    if (this.#given > this.#groupRows)
      throw new RangeError(`has more values than the ${this.#groupRows} rows`);
    return { values, skipped, bytes };
  }

  async #header(): Promise<PageHeader> {
    for (let size = HEADER_BYTES; ; size *= 8) {
      const bytes = await this.#window.peek(size);
      const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
      let header: PageHeader;
      try {
        header = parquetHeader(reader);
      } catch (error) {
        if (bytes.byteLength < size || size >= MAX_HEADER_BYTES) throw error;
        continue;
      }
      this.#window.skip(reader.offset);
      checkHeader(header, this.#window.left);
      return header;
    }
  }

  async #body(header: PageHeader): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.#window.peek(header.compressed_page_size);
    this.#window.skip(bytes.byteLength);
    if (header.crc !== undefined && crc32(bytes) !== header.crc >>> 0)
      throw new RangeError("a page has another checksum than its header says");
    return bytes;
  }

  async #page(header: PageHeader): Promise<ArrayLike<unknown>> {
    const { values, definitions, repetitions } = this.#decoder.read(header, await this.#body(header));
    if (this.#lists !== undefined) return this.#lists.page(values, definitions, repetitions ?? []);
    return this.#column.convert(definitions === undefined ? values : withMissing(values, definitions));
  }
}

/** The values at their rows, null at the others; level 1 says that there is one. */
function withMissing(values: DecodedArray, definitions: ArrayLike<number>): unknown[] {
  let at = 0;
  return Array.from(definitions, (level) => (level === 1 ? values[at++] : null));
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
