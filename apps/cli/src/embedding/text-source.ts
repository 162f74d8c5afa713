import { open } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { unreadable } from "../file-error.ts";
import { textLines, type LineLimit, type LineStart, type TextLine } from "./text-lines.ts";

/** Texts to embed, and how many bytes there are of them. */
export interface TextSource extends AsyncDisposable {
  lines: AsyncIterable<TextLine>;
  /** undefined when nobody knows: a pipe. */
  totalBytes: number | undefined;
}

const CHUNK_BYTES = 256 * 1024;

/**
 * Opens a file of texts, one a line; "-" is the standard input.
 * @param options.signal ends the reading, also of a pipe that gives nothing.
 * @param options.start where to begin in a file; not for a pipe.
 * @throws Failure when it cannot be read.
 */
export async function openTextSource(
  path: string,
  options: { stdin: Readable; signal: AbortSignal; limit?: LineLimit; start?: LineStart },
): Promise<TextSource> {
  const { stdin, signal, limit, start } = options;
  if (path === "-") {
    return {
      lines: textLines(addAbortSignal(signal, stdin), "standard input", limit, start),
      totalBytes: undefined,
      [Symbol.asyncDispose]: async () => void stdin.destroy(),
    };
  }
  try {
    await using opening = new AsyncDisposableStack();
    const file = opening.use(await open(path));
    const found = await file.stat();
    if (found.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
    const stream = addAbortSignal(
      signal,
      file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false, start: start?.bytes ?? 0 }),
    );
    const owned = opening.move();
    return {
      lines: textLines(stream, path, limit, start),
      totalBytes: found.isFile() ? found.size : undefined,
      [Symbol.asyncDispose]: async () => {
        stream.destroy();
        await owned.disposeAsync();
      },
    };
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Texts of the command line. */
export function givenTexts(texts: readonly string[]): TextSource {
  const sizes = texts.map((text) => Buffer.byteLength(text));
  return {
    // oxlint-disable-next-line typescript/require-await -- the same as lines of a file
    lines: (async function* () {
      let end = 0;
      for (const [i, text] of texts.entries()) {
        const bytes = sizes[i] as number;
        end += bytes;
        yield { text, bytes, end };
      }
    })(),
    totalBytes: sizes.reduce((sum, size) => sum + size, 0),
    [Symbol.asyncDispose]: async () => {},
  };
}
