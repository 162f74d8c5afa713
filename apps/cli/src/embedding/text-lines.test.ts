import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { MAX_TEXT_BYTES, textLines, type TextLine } from "./text-lines.ts";

/** The bytes in chunks of these sizes, the last one with the rest. */
async function* chunked(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const size of sizes) {
    if (from >= bytes.length) return;
    yield bytes.subarray(from, from + size);
    from += size;
  }
  if (from < bytes.length) yield bytes.subarray(from);
}

async function linesOf(content: string | Uint8Array, sizes: readonly number[] = []): Promise<TextLine[]> {
  return await Array.fromAsync(textLines(chunked(Buffer.from(content), sizes), "file.txt"));
}

const texts = async (content: string | Uint8Array): Promise<string[]> =>
  (await linesOf(content)).map((line) => line.text);

test("lines are what was written, wherever the chunks end", async () => {
  const line = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !/[\r\n\ufeff]/.test(text));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 60 }),
      async (written, sizes) => {
        const content = written.map((text) => `${text}\n`).join("");
        const found = await linesOf(content, sizes);
        expect(found.map(({ text }) => text)).toEqual(written.map((text) => text.toWellFormed()));
        expect(found.map(({ bytes }) => bytes)).toEqual(written.map((text) => Buffer.byteLength(text)));
        expect(found.at(-1)?.end).toBe(Buffer.byteLength(content));
      },
    ),
  );
});

test.each<[string, string, string[]]>([
  ["nothing has no lines", "", []],
  ["a newline at the end begins no line", "a\nb\n", ["a", "b"]],
  ["the last line needs none", "a\nb", ["a", "b"]],
  ["an empty line is a text", "\na\n\n", ["", "a", ""]],
  ["a single newline is one empty line", "\n", [""]],
  ["lines of Windows", "a\r\n\r\nb\r\n", ["a", "", "b"]],
  ["a return elsewhere stays", "a\rb\nc\r", ["a\rb", "c\r"]],
  ["a byte order mark at the beginning is no text", "\ufeffa\n\ufeffb\n", ["a", "\ufeffb"]],
  ["control characters stay", "a\0\tb\n", ["a\0\tb"]],
])("%s", async (_, content, expected) => {
  expect(await texts(content)).toEqual(expected);
});

test("each line knows where it ends", async () => {
  expect((await linesOf("ä\r\nbc\n\nd")).map(({ end }) => end)).toEqual([4, 7, 8, 9]);
});

describe("what is not UTF-8 is refused with its line", () => {
  test.each<[string, number[], number]>([
    ["Latin 1", [0x61, 0x0a, 0x62, 0xe4, 0x0a], 2],
    ["a character that is cut off at the end", [0x61, 0x0a, 0x62, 0x0a, 0xc3], 3],
    ["half a surrogate pair", [0xed, 0xa0, 0x80, 0x0a], 1],
    ["UTF-16", [0xff, 0xfe, 0x61, 0x00, 0x0a, 0x00], 1],
  ])("%s", async (_, bytes, line) => {
    await expect(texts(new Uint8Array(bytes))).rejects.toMatchObject({
      name: "Failure",
      exitCode: 65,
      message: `file.txt, line ${line}: not UTF-8.`,
      remedy: expect.stringContaining("iconv"),
    });
  });
});

describe("a line that is longer than a text may be", () => {
  test("the longest one is none, also with what is no part of it", async () => {
    const longest = "a".repeat(MAX_TEXT_BYTES);
    expect(await texts(`\ufeff${longest}\r\nb`)).toEqual([longest, "b"]);
  });

  test("one byte more is refused", async () => {
    await expect(texts(`a\n${"a".repeat(MAX_TEXT_BYTES + 1)}\n`)).rejects.toMatchObject({
      exitCode: 65,
      message: "file.txt, line 2: longer than the 1,048,576 bytes that a text may have.",
    });
  });

  test("and it is not read to its end", async () => {
    let given = 0;
    const endless = (async function* () {
      for (;;) {
        given += 1;
        yield new Uint8Array(65_536).fill(0x61);
      }
    })();
    await expect(Array.fromAsync(textLines(endless, "dump"))).rejects.toMatchObject({ exitCode: 65 });
    expect(given).toBe(17);
  });
});
