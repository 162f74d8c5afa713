import { KindredError } from "@kindred/errors";

/**
 * SentencePiece's normalisation as tokenizer.json files of XLM-RoBERTa and its kin carry it: a table of strings and what stands for
 * them, made from NFKC and more. The tokenizer library takes NFKC itself for it, which differs for zero-width joiners and where
 * several marks are on one letter.
 *
 * The table is [bytes of the trie: uint32][trie: uint32s][replacements, UTF-8, each ended by 0], little-endian. The trie is a
 * double array as Darts (https://github.com/s-yata/darts-clone) writes it, whose values are positions among the replacements.
 * @returns the normalisation.
 * @throws KindredError data-loss when the table is damaged.
 */
export function precompiledNormalizer(base64: string): (text: string) => string {
  const table = Buffer.from(base64, "base64");
  const trieBytes = table.length >= 4 ? table.readUInt32LE(0) : Infinity;
  if (trieBytes % 4 !== 0 || trieBytes === 0 || 4 + trieBytes > table.length) {
    throw new KindredError("data-loss", "the tokenizer's precompiled_charsmap is damaged");
  }
  const units = new Uint32Array(new Uint8Array(table.subarray(4, 4 + trieBytes)).buffer);
  const replacements = table.subarray(4 + trieBytes);

  /** What stands for the first string of the table that `key` begins with, the shortest of them; all of `key` is replaced by it. */
  const lookUp = (key: string): string | undefined => {
    let position = offsetOf(units[0] as number);
    for (const byte of Buffer.from(key, "utf8")) {
      if (byte === 0) return undefined;
      position ^= byte;
      const unit = units[position];
      if (unit === undefined || labelOf(unit) !== byte) return undefined;
      position ^= offsetOf(unit);
      if (!hasValue(unit)) continue;
      const start = valueOf(units[position] ?? 0);
      const end = replacements.indexOf(0, start);
      return replacements.toString("utf8", start, end < 0 ? replacements.length : end);
    }
    return undefined;
  };

  // A text has few different characters.
  const known = new Map<string, string | null>();
  const replacement = (key: string): string | null => {
    let found = known.get(key);
    if (found === undefined) {
      found = lookUp(key) ?? null;
      if (known.size < MOST_KNOWN) known.set(key, found);
    }
    return found;
  };

  const normalizeStretch = (stretch: string): string => {
    let result = "";
    for (const { segment } of GRAPHEMES.segment(stretch)) {
      // As the original does it: longer graphemes are taken apart, shorter ones only where the table does not know them.
      const whole = Buffer.byteLength(segment) < LONG_GRAPHEME ? replacement(segment) : null;
      if (whole === null) for (const char of segment) result += replacement(char) ?? char;
      else result += whole;
    }
    return result;
  };
  const plain = Array.from({ length: 0x7f - 0x20 }, (_, i) => String.fromCharCode(0x20 + i));
  const leavesPlain = plain.every((char) => replacement(char) === null);
  return (text) => (leavesPlain ? text.replace(NOT_PLAIN, normalizeStretch) : normalizeStretch(text));
}

/** What is not printable ASCII, with the character before it, which marks may belong to. */
const NOT_PLAIN = /[\x20-\x7e]?[^\x20-\x7e]+/g;

const GRAPHEMES = new Intl.Segmenter("und", { granularity: "grapheme" });
/** In UTF-8. */
const LONG_GRAPHEME = 6;
const MOST_KNOWN = 20_000;

const hasValue = (unit: number) => ((unit >>> 8) & 1) === 1;
const valueOf = (unit: number) => unit & 0x7f_ff_ff_ff;
/** Of a unit that is no child of the one before, this is no byte. */
const labelOf = (unit: number) => (unit & 0x80_00_00_ff) >>> 0;
const offsetOf = (unit: number) => (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
