import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { formatCount } from "../terminal/format.ts";

/** One line of a file of texts. */
export interface TextLine {
  /** Without what ends the line. */
  text: string;
  /** Length of `text` in UTF-8. */
  bytes: number;
  /** Bytes of the file up to the end of this line. */
  end: number;
}

/** The contract's limit of one text. */
export const MAX_TEXT_BYTES = 2 ** 20;

/** How long a line may be, and why. */
export interface LineLimit {
  bytes: number;
  /** What a line is, e.g. "a text". */
  what: string;
  remedy: string;
}

const TEXT_LIMIT: LineLimit = {
  bytes: MAX_TEXT_BYTES,
  what: "a text",
  remedy: "Each line is one text. Is it a text file?",
};

/** Where a file is read from, when not from its beginning: behind so many lines, which have so many bytes. */
export interface LineStart {
  lines: number;
  bytes: number;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * The lines of a file in UTF-8, in their order. Every line is a text, also an empty one; a newline at the very end begins none. "\r\n" ends a
 * line, too, and a byte order mark is no part of the first one. Holds one line and one chunk at a time.
 * @param name of the file, for people
 * @param start what stands before the first chunk
 * @throws Failure that names the line which is no UTF-8, or longer than it may be.
 */
export async function* textLines(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  limit: LineLimit = TEXT_LIMIT,
  start: LineStart = { lines: 0, bytes: 0 },
): AsyncGenerator<TextLine> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let number = start.lines;
  let end = start.bytes;
  /** The beginning of a line whose end has not come yet. */
  let begun: Uint8Array[] = [];
  let begunBytes = 0;

  const toLine = (bytes: Buffer, ending: number): TextLine => {
    number += 1;
    end += bytes.length + ending;
    let content = bytes;
    if (number === 1 && content.subarray(0, 3).equals(BYTE_ORDER_MARK)) content = content.subarray(3);
    if (ending > 0 && content.at(-1) === RETURN) content = content.subarray(0, -1);
    if (content.length > limit.bytes) throw tooLong(name, number, limit);
    try {
      return { text: decoder.decode(content), bytes: content.length, end };
    } catch (error) {
      throw notUtf8(name, number, error);
    }
  };

  for await (const part of chunks) {
    const chunk = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const rest = chunk.subarray(from, at);
      const line = begun.length === 0 ? rest : Buffer.concat([...begun, rest]);
      begun = [];
      begunBytes = 0;
      from = at + 1;
      yield toLine(line, 1);
    }
    if (from < chunk.length) {
      begun.push(chunk.subarray(from));
      begunBytes += chunk.length - from;
      // Room for what is no part of the text: a byte order mark and a return.
      if (begunBytes > limit.bytes + BYTE_ORDER_MARK.length + 1) throw tooLong(name, number + 1, limit);
    }
  }
  if (begunBytes > 0) yield toLine(Buffer.concat(begun), 0);
}

function tooLong(name: string, line: number, { bytes, what, remedy }: LineLimit): Failure {
  return new Failure(
    `${name}, line ${formatCount(line)}: longer than the ${formatCount(bytes)} bytes that ${what} may have.`,
    { exitCode: EXIT.data, remedy },
  );
}

function notUtf8(name: string, line: number, cause: unknown): Failure {
  return new Failure(`${name}, line ${formatCount(line)}: not UTF-8.`, {
    exitCode: EXIT.data,
    remedy: "Convert it first, e.g. iconv -f LATIN1 -t UTF-8 texts.txt > texts-utf8.txt",
    cause,
  });
}
