import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { precompiledNormalizer } from "./precompiled-normalizer.ts";

/** A table that SentencePiece made from the rules in test/models/make_fixtures.py. */
const path = fileURLToPath(new URL("../../../test/models/xlm-roberta-max/tokenizer.json", import.meta.url));
const { normalizer } = JSON.parse(readFileSync(path, "utf8")) as {
  normalizer: { precompiled_charsmap: string };
};
const normalize = precompiledNormalizer(normalizer.precompiled_charsmap);

test.each([
  ["plain text, ASCII", "plain text, ASCII"],
  ["a\tb\u00a0c\u3000d", "a b c d"],
  ["soft\u00adhyphen", "softhyphen"],
  ["ﬁne… ①②", "fine... 1②"],
  ["cafe\u0301 a\u0308", "café ä"],
  // Known neither together nor apart.
  ["o\u0301", "o\u0301"],
  ["👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"],
  ["", ""],
])("%j becomes %j", (text, expected) => {
  expect(normalize(text)).toBe(expected);
});

test("the shortest known beginning stands for a whole letter with its marks, as in the original", () => {
  expect(normalize("e\u0301\u0323")).toBe("é");
});

describe("a damaged table is refused:", () => {
  test.each([
    ["empty", Buffer.alloc(0)],
    ["without a trie", Buffer.from(Uint32Array.of(0).buffer)],
    ["shorter than it says", Buffer.from(Uint32Array.of(8, 1).buffer)],
    ["of no whole numbers", Buffer.from(Uint32Array.of(3, 1).buffer)],
  ])("%s", (_name, table) => {
    expect(() => precompiledNormalizer(table.toString("base64"))).toThrow("precompiled_charsmap is damaged");
  });
});
