import { KindredError } from "@kindred/errors";
import type {
  CompressionCodec,
  DecodedArray,
  Encoding,
  PageHeader,
  ParquetType,
  SchemaElement,
} from "hyparquet";
import { convert } from "hyparquet/src/convert.js";
import { decompressPage } from "hyparquet/src/datapage.js";
import { deltaBinaryUnpack } from "hyparquet/src/delta.js";
import { byteStreamSplit } from "hyparquet/src/encoding.js";
import { readPlain } from "hyparquet/src/plain.js";
import { decompressors } from "./codecs.ts";
import type { ReadableColumn } from "./columns.ts";
import { parsers } from "./parsers.ts";
import { readDeltaTexts } from "./delta-texts.ts";
import { readRuns } from "./runs.ts";

/** A data page, taken apart: the values that are there, and the levels that say where. */
export interface DecodedPage {
  values: DecodedArray;
  /** Undefined where all values are there. */
  definitions: ArrayLike<number> | undefined;
  /** Undefined where the column is no list. */
  repetitions: ArrayLike<number> | undefined;
}

/** Bytes of a value in plain encoding, at least. */
const widths: Readonly<Partial<Record<ParquetType, number>>> = {
  BYTE_ARRAY: 4,
  INT32: 4,
  INT64: 8,
  INT96: 12,
  FLOAT: 4,
  DOUBLE: 8,
};

const TOO_SHORT = "a page ends before its values do";

/** Which types an encoding is for, where not for all: https://parquet.apache.org/docs/file-format/data-pages/encodings/ */
const encodedTypes: Readonly<Partial<Record<Encoding, readonly ParquetType[]>>> = {
  RLE: ["BOOLEAN"],
  BIT_PACKED: [],
  DELTA_BINARY_PACKED: ["INT32", "INT64"],
  DELTA_LENGTH_BYTE_ARRAY: ["BYTE_ARRAY"],
  DELTA_BYTE_ARRAY: ["BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"],
};

/** Decodes the pages of one column chunk. What it throws, other than KindredErrors, means damage. */
export class PageDecoder {
  readonly #type: ParquetType;
  readonly #codec: CompressionCodec;
  readonly #element: SchemaElement;
  readonly #column;
  readonly #maxDefinition: number;
  readonly #maxRepetition: number;
  #dictionary: DecodedArray | undefined;

  constructor(column: ReadableColumn, type: ParquetType, codec: CompressionCodec) {
    const { path, leaf } = column;
    this.#type = type;
    this.#codec = codec;
    this.#element = leaf.element;
    this.#column = {
      pathInSchema: leaf.path,
      element: leaf.element,
      schemaPath: path,
      type,
      codec,
      parsers,
      utf8: false,
    };
    const levels = path.slice(1).map(({ element }) => element.repetition_type);
    this.#maxDefinition = levels.filter((level) => level !== "REQUIRED").length;
    this.#maxRepetition = levels.filter((level) => level === "REPEATED").length;
  }

  readDictionary(header: PageHeader, body: Uint8Array<ArrayBuffer>): void {
    const count = header.dictionary_page_header?.num_values ?? 0;
    const bytes = this.#decompressed(body, header.uncompressed_page_size);
    this.#dictionary = convert(this.#plain(bytes, count), this.#column);
  }

  read(header: PageHeader, body: Uint8Array<ArrayBuffer>): DecodedPage {
    const v2 = header.data_page_header_v2;
    const v1 = header.data_page_header;
    if (v2 !== undefined) {
      const repetitionsEnd = v2.repetition_levels_byte_length;
      const levelsEnd = repetitionsEnd + v2.definition_levels_byte_length;
      const rest = body.subarray(levelsEnd);
      const size = header.uncompressed_page_size - levelsEnd;
      const page = this.#levels(v2.num_values, {
        repetitions: () => body.subarray(0, repetitionsEnd),
        definitions: () => body.subarray(repetitionsEnd, levelsEnd),
      });
      if (v2.num_values - page.present !== v2.num_nulls)
        throw new RangeError("a page lacks other values than it says");
      const bytes = v2.is_compressed === false ? rest : this.#decompressed(rest, size);
      return { ...page, values: this.#values(v2.encoding, bytes, page.present) };
    }
    if (v1 === undefined) throw new RangeError("a page has no header of its own");
    if (v1.definition_level_encoding === "BIT_PACKED" && this.#maxDefinition > 0)
      throw new KindredError("unimplemented", "levels that are packed in the old way cannot be read");
    const bytes = this.#decompressed(body, header.uncompressed_page_size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    const prefixed = (): Uint8Array => {
      const length = view.getUint32(at, true);
      at += 4 + length;
      return bytes.subarray(at - length, at);
    };
    const page = this.#levels(v1.num_values, { repetitions: prefixed, definitions: prefixed });
    return { ...page, values: this.#values(v1.encoding, bytes.subarray(at), page.present) };
  }

  #decompressed(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
    return decompressPage(bytes, size, this.#codec, decompressors) as Uint8Array<ArrayBuffer>;
  }

  /** Repetition levels come first. */
  #levels(count: number, bytes: { repetitions: () => Uint8Array; definitions: () => Uint8Array }) {
    const repetitions = this.#maxRepetition > 0 ? readRuns(bytes.repetitions(), 1, count) : undefined;
    if (this.#maxDefinition === 0) return { repetitions, definitions: undefined, present: count };
    const bits = 32 - Math.clz32(this.#maxDefinition);
    const definitions = readRuns(bytes.definitions(), bits, count);
    let present = 0;
    for (const level of definitions) if (level === this.#maxDefinition) present++;
    return { repetitions, definitions: present === count ? undefined : definitions, present };
  }

  #values(encoding: Encoding, bytes: Uint8Array<ArrayBuffer>, count: number): DecodedArray {
    if (encoding === "PLAIN_DICTIONARY" || encoding === "RLE_DICTIONARY")
      return this.#fromDictionary(bytes, count);
    // Decoding by an encoding that the type cannot have gives other values, not an error.
    if (encoding === undefined || encodedTypes[encoding]?.includes(this.#type) === false)
      throw new RangeError(`a page of ${this.#type} values cannot be encoded by ${encoding}`);
    return convert(this.#decoded(encoding, bytes, count), this.#column);
  }

  #fromDictionary(bytes: Uint8Array, count: number): DecodedArray {
    const dictionary = this.#dictionary;
    if (dictionary === undefined) throw new RangeError("a page needs a dictionary, and there is none");
    const values = Array.from<unknown>({ length: count });
    if (count === 0) return values;
    const indexes = readRuns(bytes.subarray(1), bytes[0] ?? 0, count);
    for (let i = 0; i < count; i++) {
      const index = indexes[i] as number;
      if (index >= dictionary.length) throw new RangeError("a value is not in the dictionary");
      values[i] = dictionary[index];
    }
    return values;
  }

  #decoded(encoding: Encoding, bytes: Uint8Array<ArrayBuffer>, count: number): DecodedArray {
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
    switch (encoding) {
      case "PLAIN":
        return this.#plain(bytes, count);
      case "RLE":
        // After the length of the runs.
        return Array.from(readRuns(bytes.subarray(4), 1, count), (bit) => bit === 1);
      case "DELTA_BINARY_PACKED": {
        const values = this.#type === "INT32" ? new Int32Array(count) : new BigInt64Array(count);
        deltaBinaryUnpack(reader, count, values);
        return values;
      }
      case "DELTA_LENGTH_BYTE_ARRAY":
        return readDeltaTexts(reader, count, false);
      case "DELTA_BYTE_ARRAY":
        return readDeltaTexts(reader, count, true);
      case "BYTE_STREAM_SPLIT":
        if (count * this.#width > bytes.byteLength) throw new RangeError(TOO_SHORT);
        return byteStreamSplit(reader, count, this.#type, this.#element.type_length);
      default:
        throw new KindredError("unimplemented", `pages that are encoded by ${encoding} cannot be read`);
    }
  }

  #plain(bytes: Uint8Array<ArrayBuffer>, count: number): DecodedArray {
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
    const values =
      count * this.#width > bytes.byteLength
        ? undefined
        : readPlain(reader, this.#type, count, this.#element.type_length);
    // Views of the whole buffer can be longer than the page.
    if (values === undefined || reader.offset > bytes.byteLength) throw new RangeError(TOO_SHORT);
    return values;
  }

  /** Bytes of a value, at least: a text has the four of its length; eight truths have one. */
  get #width(): number {
    return widths[this.#type] ?? this.#element.type_length ?? 1 / 8;
  }
}
