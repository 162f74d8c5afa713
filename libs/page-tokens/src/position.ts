interface Kinds {
  /** A row without the value. */
  none: undefined;
  /** Signed, of 64 bits. */
  integer: bigint;
  /** Any double, infinities and NaN too. */
  float: number;
  /** Without lone surrogates. */
  text: string;
}

type Kind = keyof Kinds;
type Value = Kinds[Kind];

/** What may stand at one place of a list's positions: this, or one of these. */
export type Place = Kind | readonly Kind[];

type ValueAt<P extends Place> = P extends Kind
  ? Kinds[P]
  : P extends readonly Kind[]
    ? Kinds[P[number]]
    : never;

/** The positions of such places, e.g. `[number | undefined, bigint]` of `[["none", "float"], "integer"]`. */
export type PositionOf<Places extends readonly Place[]> = {
  -readonly [I in keyof Places]: ValueAt<Places[I]>;
};

/** By the byte that a value begins with. */
const KINDS: readonly Kind[] = ["none", "integer", "float", "text"];
const NUMBER_BYTES = 8;
const LENGTH_BYTES = 4;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws RangeError for an integer of more than 64 bits. */
export function writePosition(position: readonly Value[]): Buffer {
  return Buffer.concat(
    position.flatMap((value) => {
      const { kind, bytes } = writeValue(value);
      return [Buffer.of(KINDS.indexOf(kind)), bytes];
    }),
  );
}

function writeValue(value: Value): { kind: Kind; bytes: Buffer } {
  switch (typeof value) {
    case "undefined":
      return { kind: "none", bytes: Buffer.alloc(0) };
    case "bigint": {
      const bytes = Buffer.alloc(NUMBER_BYTES);
      bytes.writeBigInt64BE(value);
      return { kind: "integer", bytes };
    }
    case "number": {
      const bytes = Buffer.alloc(NUMBER_BYTES);
      bytes.writeDoubleBE(value);
      return { kind: "float", bytes };
    }
    case "string": {
      const text = Buffer.from(value);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32BE(text.length);
      return { kind: "text", bytes: Buffer.concat([length, text]) };
    }
  }
}

/** @returns undefined for bytes that are no position of these places */
export function readPosition<Places extends readonly Place[]>(
  bytes: Buffer,
  places: Places,
): PositionOf<Places> | undefined {
  const position: Value[] = [];
  let at = 0;
  for (const place of places) {
    const kind = KINDS[bytes[at] ?? KINDS.length];
    if (kind === undefined || !(typeof place === "string" ? [place] : place).includes(kind)) return undefined;
    const read = readValue(kind, bytes.subarray(at + 1));
    if (!read) return undefined;
    position.push(read.value);
    at += 1 + read.size;
  }
  return at === bytes.length ? (position as PositionOf<Places>) : undefined;
}

/** The value of this kind with which the bytes begin, and how many of them it takes; undefined when there is none. */
function readValue(kind: Kind, bytes: Buffer): { value: Value; size: number } | undefined {
  if (kind === "none") return { value: undefined, size: 0 };
  if (kind === "text") return readText(bytes);
  if (bytes.length < NUMBER_BYTES) return undefined;
  return { value: kind === "integer" ? bytes.readBigInt64BE() : bytes.readDoubleBE(), size: NUMBER_BYTES };
}

function readText(bytes: Buffer): { value: string; size: number } | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const size = LENGTH_BYTES + bytes.readUInt32BE();
  if (bytes.length < size) return undefined;
  try {
    return { value: utf8.decode(bytes.subarray(LENGTH_BYTES, size)), size };
  } catch {
    // No UTF-8.
    return undefined;
  }
}
