import { MAX_DIGITS } from "./limits.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 with Python's error handler "surrogatepass": a lone surrogate is three bytes. @throws TypeError for what is neither */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch (error) {
    return decodePassingSurrogates(bytes, error);
  }
}

function decodePassingSurrogates(bytes: Uint8Array, reason: unknown): string {
  const parts: string[] = [];
  let from = 0;
  for (let i = bytes.indexOf(0xed); i >= 0; i = bytes.indexOf(0xed, i + 1)) {
    const [second, third] = [bytes[i + 1] ?? 0, bytes[i + 2] ?? 0];
    if (second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue;
    parts.push(
      strict.decode(bytes.subarray(from, i)),
      String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f)),
    );
    from = i + 3;
  }
  if (parts.length === 0) throw reason;
  return parts.join("") + strict.decode(bytes.subarray(from));
}

/** Python's codec raw-unicode-escape: Latin-1, with \uXXXX and \UXXXXXXXX. @throws RangeError beyond U+10FFFF */
export function decodeRawUnicodeEscape(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  if (!text.includes("\\")) return text;
  // A backslash behind an odd number of others is itself escaped, so that no escape begins with it.
  return text.replace(
    /(?<!\\)((?:\\\\)*)\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g,
    (_all: string, before: string, short: string | undefined, long: string | undefined) =>
      before + String.fromCodePoint(Number.parseInt(short ?? long ?? "", 16)),
  );
}

const ESCAPES: Record<string, number> = {
  "\\": 0x5c,
  "'": 0x27,
  '"': 0x22,
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};

/** The bytes of a literal of Python 2 with its quotes, as `repr` writes it; undefined for anything else. */
export function decodeStringLiteral(line: Buffer): Buffer | undefined {
  const text = line.toString("latin1");
  const quote = text[0];
  if (text.length < 2 || (quote !== "'" && quote !== '"') || text.at(-1) !== quote) return undefined;
  const bytes = Buffer.alloc(text.length);
  let length = 0;
  for (let i = 1; i < text.length - 1; i++) {
    const char = text[i] as string;
    if (char === quote) return undefined;
    if (char !== "\\") {
      bytes[length++] = char.charCodeAt(0);
      continue;
    }
    const next = text[++i] as string;
    const known = ESCAPES[next];
    const hex = next === "x" ? /^[0-9a-fA-F]{2}/.exec(text.slice(i + 1, i + 3))?.[0] : undefined;
    // A backslash before the closing quote leaves the literal open.
    if (i >= text.length - 1 || (known === undefined && hex === undefined)) return undefined;
    bytes[length++] = known ?? Number.parseInt(hex as string, 16);
    if (hex !== undefined) i += 2;
  }
  return bytes.subarray(0, length);
}

/** A decimal integer, or undefined. */
export function parseDecimal(text: string): bigint | undefined {
  return text.length <= MAX_DIGITS && /^[+-]?\d+$/.test(text.trim()) ? BigInt(text.trim()) : undefined;
}

/** What Python's `repr` writes for a float; undefined for anything else. */
export function parseFloatLiteral(text: string): number | undefined {
  const named = { inf: Infinity, "-inf": -Infinity, nan: NaN, "-nan": NaN }[text];
  if (named !== undefined) return named;
  return text.length <= MAX_DIGITS && /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)
    ? Number(text)
    : undefined;
}

/** Two's complement, the least significant byte first; no bytes are 0. */
export function decodeLong(bytes: Buffer): bigint {
  if (bytes.length === 0) return 0n;
  const magnitude = BigInt(`0x${Buffer.from(bytes.toReversed()).toString("hex")}`);
  return (bytes.at(-1) as number) < 0x80 ? magnitude : magnitude - (1n << BigInt(8 * bytes.length));
}

export function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80);
}
