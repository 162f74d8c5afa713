/** A filter that cannot be read, and where. */
export class FilterSyntaxError extends Error {
  override readonly name = "FilterSyntaxError";
  /** Position of the mistake in the expression, from 0, in UTF-16 code units. */
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** What an expression is made of; `at` is where it begins, `text` how it is written. */
export type Token = { at: number; text: string } & (
  | { kind: "name" }
  /** In double quotes: a text, or the name of a field. In single quotes: a text only. */
  | { kind: "quoted"; value: string; single: boolean }
  | { kind: "number"; value: number | bigint }
  | { kind: "symbol" }
  | { kind: "end" }
);

/** Of a name that needs no quotes. */
const NAME = /[\p{L}_][\p{L}\p{M}\p{N}_-]*/uy;
const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const SYMBOL = /\^=|==|!=|<>|<=|>=|[=<>(),.]/y;
const SPACE = /\s*/y;
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** The tokens of an expression; the last one is "end". @throws FilterSyntaxError */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  for (let at = skipSpace(source, 0); at < source.length;) {
    const token = tokenAt(source, at, tokens.at(-1));
    tokens.push(token);
    at = skipSpace(source, at + token.text.length);
  }
  tokens.push({ kind: "end", at: source.length, text: "" });
  return tokens;
}

function tokenAt(source: string, at: number, before: Token | undefined): Token {
  const quote = source[at];
  if (quote === '"' || quote === "'") return quotedAt(source, at, quote);
  // A dot that follows a name leads into it, also where a digit follows.
  const leadsIn = source[at] === "." && (before?.kind === "name" || before?.kind === "quoted");
  const number = leadsIn ? undefined : match(NUMBER, source, at);
  if (number !== undefined) return { kind: "number", at, text: number, value: numberOf(number, at) };
  const name = match(NAME, source, at);
  if (name !== undefined) return { kind: "name", at, text: name };
  const symbol = match(SYMBOL, source, at);
  if (symbol !== undefined) return { kind: "symbol", at, text: symbol };
  const character = String.fromCodePoint(source.codePointAt(at) as number);
  const hint =
    character === "&" || character === "|" || character === "!" ? ': write "and", "or", "not"' : "";
  throw new FilterSyntaxError(`${JSON.stringify(character)} means nothing here${hint}`, at);
}

/** In double quotes what JSON has there; in single quotes everything stands for itself, and two of them for one. */
function quotedAt(source: string, at: number, quote: string): Token {
  const single = quote === "'";
  const text = match(single ? /'(?:[^']|'')*'/y : /"(?:[^"\\]|\\[^])*"/y, source, at);
  if (text === undefined) throw new FilterSyntaxError(`the text that begins with ${quote} has no end`, at);
  if (single) return { kind: "quoted", at, text, single, value: text.slice(1, -1).replaceAll("''", "'") };
  try {
    return { kind: "quoted", at, text, single, value: JSON.parse(escapeControls(text)) as string };
  } catch {
    throw new FilterSyntaxError(
      `a backslash in double quotes is followed by what JSON allows, e.g. \\" or \\n`,
      at,
    );
  }
}

/** JSON wants line ends and the like as escapes; here they may stand as they are. */
function escapeControls(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function numberOf(text: string, at: number): number | bigint {
  const value = Number(text);
  if (/^[+-]?\d+$/.test(text) && !Number.isSafeInteger(value)) {
    const integer = BigInt(text.replace("+", ""));
    if (integer < INT64.min || integer > INT64.max)
      throw new FilterSyntaxError(
        `${text} has more than 64 bits; as a floating-point number: ${value.toExponential()}`,
        at,
      );
    return integer;
  }
  if (!Number.isFinite(value)) throw new FilterSyntaxError(`${text} is too large for a number`, at);
  return value;
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

function skipSpace(source: string, at: number): number {
  return at + (match(SPACE, source, at)?.length ?? 0);
}

/** Words that mean something else than a field of that name, unless they are in double quotes. */
const RESERVED = new Set([
  "and",
  "or",
  "not",
  "in",
  "contains",
  "true",
  "false",
  "null",
  "all",
  "any",
  "exists",
]);

/** Whether this name of a field may stand without quotes. */
export function isBareName(name: string): boolean {
  return match(NAME, name, 0) === name && !RESERVED.has(name.toLowerCase());
}
