import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openTokenizer } from "./huggingface.ts";

const SPECIAL = ["[UNK]", "[CLS]", "[SEP]"];
const WORDS = ["σ", "##σ", "Σ", "##Σ", "a", "b", "##b"];

/** A tokenizer.json of BERT's kind, but for the given parts. */
function tokenizerOf(changes: Record<string, unknown> = {}, lowercase = true) {
  return {
    added_tokens: SPECIAL.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: { type: "BertProcessing", cls: ["[CLS]", 1], sep: ["[SEP]", 2] },
    decoder: null,
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries([...SPECIAL, ...WORDS].map((token, id) => [token, id])),
    },
    ...changes,
  };
}

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindred-tokenizer-"));
  path = join(folder, "tokenizer.json");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function open(json: unknown) {
  await writeFile(path, typeof json === "string" ? json : JSON.stringify(json));
  return openTokenizer(path);
}

describe("special tokens", () => {
  test.each<[string, unknown]>([
    ["BertProcessing", { type: "BertProcessing", cls: ["[CLS]", 1], sep: ["[SEP]", 2] }],
    ["RobertaProcessing", { type: "RobertaProcessing", cls: ["[CLS]", 1], sep: ["[SEP]", 2] }],
    [
      "TemplateProcessing, also inside of a sequence",
      {
        type: "Sequence",
        processors: [
          { type: "ByteLevel" },
          {
            type: "TemplateProcessing",
            single: [
              { SpecialToken: { id: "[CLS]", type_id: 0 } },
              { Sequence: { id: "A", type_id: 0 } },
              { SpecialToken: { id: "[SEP]", type_id: 0 } },
            ],
          },
        ],
      },
    ],
  ])("are those of %s", async (_name, postProcessor) => {
    expect(await open(tokenizerOf({ post_processor: postProcessor }))).toMatchObject({
      startId: 1,
      endId: 2,
    });
  });

  test.each<[string, unknown, RegExp]>([
    ["none", null, /post-processor null does not put one special token before/],
    [
      "one only",
      { type: "TemplateProcessing", single: [{ Sequence: { id: "A" } }, { SpecialToken: { id: "[SEP]" } }] },
      /post-processor "TemplateProcessing" does not put/,
    ],
  ])("have to be two: %s", async (_name, postProcessor, message) => {
    const opening = open(tokenizerOf({ post_processor: postProcessor }));
    await expect(opening).rejects.toMatchObject({ kind: "failed-precondition" });
    await expect(opening).rejects.toThrow(message);
  });

  test("have to be in the vocabulary", async () => {
    const postProcessor = { type: "BertProcessing", cls: ["<cls>", 1], sep: ["[SEP]", 2] };
    await expect(open(tokenizerOf({ post_processor: postProcessor }))).rejects.toThrow("has no token <cls>");
  });
});

test("a sigma at the end of a word is the small one where letters are made small, and stays where they are not", async () => {
  const ids = async (lowercase: boolean) => (await open(tokenizerOf({}, lowercase))).contentIds("ΣΣ");
  const [small, tail, capital, capitalTail] = [3, 4, 5, 6];
  expect(await ids(true)).toEqual([small, tail]);
  expect(await ids(false)).toEqual([capital, capitalTail]);
});

test("an ideograph is a word by itself, also a rare one, where the tokenizer says so", async () => {
  const { contentIds } = await open(tokenizerOf());
  const unknown = 0;
  expect(contentIds("a猫𠀀𪜀b")).toEqual([7, unknown, unknown, unknown, 8]);
  const normalizer = { ...tokenizerOf().normalizer, handle_chinese_chars: false };
  expect((await open(tokenizerOf({ normalizer }))).contentIds("a猫𠀀𪜀b")).toEqual([unknown]);
});

describe("long texts are read", () => {
  const wordPiece = tokenizerOf();
  test.each<[string, Record<string, unknown>, string]>([
    ["in segments by BERT's own", {}, "segments"],
    ["in prefixes where Chinese is not set apart", { normalizer: { type: "Lowercase" } }, "prefixes"],
    [
      "in prefixes where words may be longer",
      { model: { ...wordPiece.model, max_input_chars_per_word: 200 } },
      "prefixes",
    ],
    [
      "in prefixes where words are split otherwise",
      { pre_tokenizer: { type: "WhitespaceSplit" } },
      "prefixes",
    ],
    [
      "in prefixes by Unigram",
      {
        model: {
          type: "Unigram",
          unk_id: 0,
          vocab: [
            ["[UNK]", 0],
            ["[CLS]", 0],
            ["[SEP]", 0],
            ["▁a", -1],
          ],
        },
      },
      "prefixes",
    ],
    [
      "whole where a token goes across words",
      {
        model: {
          type: "Unigram",
          unk_id: 0,
          vocab: [
            ["[UNK]", 0],
            ["[CLS]", 0],
            ["[SEP]", 0],
            ["▁of▁the", -1],
          ],
        },
      },
      "whole",
    ],
  ])("%s", async (_name, changes, longTexts) => {
    expect((await open(tokenizerOf(changes))).longTexts).toBe(longTexts);
  });
});

describe("is refused by name:", () => {
  test.each<[string, unknown, string, RegExp]>([
    [
      "a kind of model",
      tokenizerOf({ model: { type: "WordLevel", vocab: {} } }),
      "failed-precondition",
      /its type is "WordLevel" \(supported: WordPiece, BPE, Unigram\)/,
    ],
    [
      "a normaliser",
      tokenizerOf({ normalizer: { type: "Nmt" } }),
      "failed-precondition",
      /Unknown Normalizer type: Nmt/,
    ],
    ["what is not JSON", "{", "data-loss", /is not JSON/],
  ])("%s", async (_name, json, kind, message) => {
    const opening = open(json);
    await expect(opening).rejects.toMatchObject({ kind });
    await expect(opening).rejects.toThrow(message);
  });
});
