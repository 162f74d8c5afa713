import type { DataReader } from "hyparquet";
import { deltaBinaryUnpack } from "hyparquet/src/delta.js";

/** Of the texts of one page: each may repeat the whole of the one before, so that few bytes can ask for any number. */
const MAX_BYTES = 2 ** 28;

/**
 * Texts whose lengths come first, and with `prefixes` what each has in common with the one before:
 * https://parquet.apache.org/docs/file-format/data-pages/encodings/#delta-strings. hyparquet's own reader allocates
 * whatever lengths a damaged file states.
 *
 * @throws RangeError where the lengths cannot be those of the bytes
 */
export function readDeltaTexts(reader: DataReader, count: number, prefixes: boolean): Uint8Array[] {
  const lengths = (): Int32Array => {
    const read = new Int32Array(count);
    deltaBinaryUnpack(reader, count, read);
    return read;
  };
  const common = prefixes ? lengths() : new Int32Array(count);
  const own = lengths();
  const { view } = reader;
  const texts: Uint8Array[] = [];
  let previous: Uint8Array = new Uint8Array(0);
  let total = 0;
  for (let i = 0; i < count; i++) {
    const prefix = common[i] as number;
    const length = own[i] as number;
    total += prefix + length;
    if (prefix < 0 || prefix > previous.byteLength || length < 0 || length > view.byteLength - reader.offset)
      throw new RangeError("a text has a length that it cannot have");
    if (total > MAX_BYTES) throw new RangeError(`the texts of a page have more than ${MAX_BYTES} bytes`);
    const rest = new Uint8Array(view.buffer, view.byteOffset + reader.offset, length);
    reader.offset += length;
    if (prefix > 0) {
      const text = new Uint8Array(prefix + length);
      text.set(previous.subarray(0, prefix));
      text.set(rest, prefix);
      previous = text;
    } else previous = rest;
    texts.push(previous);
  }
  return texts;
}
