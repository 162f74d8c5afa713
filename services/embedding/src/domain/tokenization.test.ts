import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { segments, tokenizeTexts, type TokenizerPort } from "./tokenization.ts";

/** Words are tokens; an id is the word's length. Counts the characters that it was given. */
class WordTokenizer implements TokenizerPort {
  readonly startId = 1000;
  readonly endId = 1001;
  chars = 0;
  contentIds(text: string): number[] {
    this.chars += text.length;
    return text
      .split(" ")
      .filter((word) => word !== "")
      .map((word) => word.length);
  }
  token(id: number): string {
    return String(id);
  }
}

const pieces = fc.array(
  fc.constantFrom(
    "a",
    "word",
    " ",
    "  ",
    "\n",
    ".",
    "[SEP]",
    "[",
    "漢",
    "\u0301",
    "😀",
    "é".repeat(30),
    "x".repeat(120),
  ),
  { maxLength: 60 },
);

const shorten = (value: string) => value.replace(/[\p{L}\p{N}]{101,}/gu, (word) => word.slice(0, 101));

describe("segments", () => {
  test("are the text, but for the tail of words that are too long to be known", () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 40 }), (parts, size) => {
        const text = parts.join("");
        const joined = [...segments(text, size)].join("");
        expect(shorten(joined)).toBe(shorten(text));
      }),
    );
  });

  test("never cut a word, a surrogate pair or a special token", () => {
    expect([...segments("one two three", 4)]).toEqual(["one two", " three"]);
    for (const segment of segments("ab [SEP][CLS]😀😀 c.d".repeat(50), 3)) {
      expect(segment).not.toMatch(/^(SEP|CLS|\])|\[(SE?P?)?$|[\ud800-\udbff]$/);
    }
  });

  test("keep what follows a giant word and is no part of it", () => {
    for (const other of ["\uf900", "\u3400", "\u{20000}", "漢", ".", "😀"]) {
      expect([...segments("x".repeat(300) + other, 100)].join("")).toBe("x".repeat(101) + other);
    }
  });

  test("are short where the text has places to cut", () => {
    const lengths = [...segments("word ".repeat(1000), 100)].map((segment) => segment.length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(105);
  });
});

describe("tokenizeTexts", () => {
  test("adds the special tokens and keeps the order", async () => {
    const [first, second, empty] = await tokenizeTexts(new WordTokenizer(), ["a bb", "ccc", ""], 10);
    expect([...(first?.ids ?? [])]).toEqual([1000, 1, 2, 1001]);
    expect([...(second?.ids ?? [])]).toEqual([1000, 3, 1001]);
    expect([...(empty?.ids ?? [])]).toEqual([1000, 1001]);
    expect(first?.truncated).toBe(false);
  });

  test.each([
    [8, false],
    [9, true],
  ])("of %i words cuts what does not fit into ten tokens: %s", async (words, truncated) => {
    const [result] = await tokenizeTexts(new WordTokenizer(), [Array(words).fill("w").join(" ")], 10);
    expect(result?.ids).toHaveLength(10);
    expect(result?.ids.at(-1)).toBe(1001);
    expect(result?.truncated).toBe(truncated);
  });

  test("reads a long text only as far as needed", async () => {
    const tokenizer = new WordTokenizer();
    const [result] = await tokenizeTexts(tokenizer, ["word ".repeat(200_000)], 256);
    expect(result?.truncated).toBe(true);
    expect(tokenizer.chars).toBeLessThan(4000);
  });

  test("reads a long text to its end to know that nothing was cut", async () => {
    const [result] = await tokenizeTexts(new WordTokenizer(), [`a b${" ".repeat(100_000)}`], 4);
    expect(result).toMatchObject({ truncated: false });
    const [cut] = await tokenizeTexts(new WordTokenizer(), [`a b${" ".repeat(100_000)}c`], 4);
    expect(cut).toMatchObject({ truncated: true });
  });

  test("lets timers fire in between", async () => {
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    const texts = Array.from({ length: 20_000 }, (_, i) => `text ${i} `.repeat(20));
    await tokenizeTexts(new WordTokenizer(), texts, 256);
    clearInterval(timer);
    expect(fired).toBeGreaterThan(2);
  });

  test("stops when the signal is aborted", async () => {
    const controller = new AbortController();
    const tokenizer = new WordTokenizer();
    const texts = Array.from({ length: 100_000 }, (_, i) => `text ${i} `.repeat(20));
    setTimeout(() => controller.abort(new Error("enough")), 5);
    await expect(tokenizeTexts(tokenizer, texts, 256, controller.signal)).rejects.toThrow("enough");
    expect(tokenizer.chars).toBeLessThan(texts.length * 100);
  });
});
