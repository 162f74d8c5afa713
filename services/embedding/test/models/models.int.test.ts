import { readFileSync } from "node:fs";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readEnvironment } from "@kindred/config";
import { silentLogger } from "@kindred/testing";
import * as fc from "fast-check";
import { openInferenceSession, runBatch } from "../../src/adapters/onnx/session.ts";
import { openTokenizer } from "../../src/adapters/tokenizer/huggingface.ts";
import { readModelConfig } from "../../src/config.ts";
import { localSpace } from "../../src/domain/embedding-space.ts";
import { PRECISIONS, type Precision } from "../../src/domain/precision.ts";
import { tokenizeTexts } from "../../src/domain/tokenization.ts";
import { prepareModel } from "../../src/prepare-model.ts";
import { cosine } from "../fixture.ts";

/** Made by make_fixtures.py; what each of them is made to show stands there. */
const MODELS = [
  "bert-mean",
  "bert-cased-cls-f16",
  "bert-unigram-mean-split",
  "distilbert-mean-bf16",
  "distilbert-max",
  "roberta-mean",
  "roberta-cls",
  "xlm-roberta-max",
] as const;

interface Expected {
  readonly text: string;
  readonly ids: readonly number[];
  readonly vector: readonly number[];
}

/** Least cosine to the vectors of sentence-transformers, and how far the lengths may differ, in parts of the length. */
const DEMANDS: Record<Precision, { cosine: number; length: number }> = {
  fp32: { cosine: 0.99999, length: 1e-5 },
  fp16: { cosine: 0.9999, length: 5e-3 },
  int8: { cosine: 0.995, length: 0.05 },
};

const folderOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const expectedOf = (name: string) =>
  JSON.parse(readFileSync(join(folderOf(name), "expected.json"), "utf8")) as Expected[];

let cacheDir: string;
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "kindred-models-"));
});
afterAll(() => rm(cacheDir, { recursive: true, force: true }));

const prepare = (directory: string, precision: Precision = "fp32") =>
  prepareModel(
    { name: "tiny", repository: "test/tiny", directory },
    {
      config: readModelConfig({ ...readEnvironment(), KINDRED_CACHE_DIR: cacheDir }),
      precision,
      onProgress: () => undefined,
      logger: silentLogger(),
    },
  );

describe.each(MODELS)("%s", (name) => {
  const expected = expectedOf(name);

  test("has the token ids of the original", async () => {
    const { tokenizerPath, description } = await prepare(folderOf(name));
    const tokenizer = await openTokenizer(tokenizerPath);
    const { maxTokens } = description.architecture;
    const texts = expected.map(({ text }) => text);
    const tokenized = await tokenizeTexts(tokenizer, texts, maxTokens);
    for (const [i, { ids, text }] of expected.entries()) {
      expect({ text, ids: [...(tokenized[i]?.ids ?? [])] }).toEqual({ text, ids });
    }
  });

  test.each(PRECISIONS)(
    "has the vectors of the original in %s",
    async (precision) => {
      const { modelPath, modelBytes, description } = await prepare(folderOf(name), precision);
      expect(modelBytes).toBeGreaterThan(10_000);
      const session = await openInferenceSession({ modelPath, provider: "cpu", intraOpThreads: 1 });
      // Together, the shorter ones padded, with an id that stands for nothing.
      const columns = Math.max(...expected.map(({ ids }) => ids.length));
      const ids = new Int32Array(expected.length * columns).fill(5);
      for (const [row, item] of expected.entries()) ids.set(item.ids, row * columns);
      const lengths = Int32Array.from(expected, (item) => item.ids.length);
      const vectors = await runBatch(session, { ids, lengths, rows: expected.length, columns });
      await session.release();

      const { hidden } = description.architecture;
      const demands = DEMANDS[precision];
      for (const [row, item] of expected.entries()) {
        const vector = vectors.subarray(row * hidden, (row + 1) * hidden);
        expect(cosine(vector, item.vector)).toBeGreaterThan(demands.cosine);
        expect(Math.abs(Math.hypot(...vector) / Math.hypot(...item.vector) - 1)).toBeLessThan(demands.length);
      }
    },
    60_000,
  );
});

describe("long texts", () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u00a0",
        " \u0301",
        "don't",
        "’s",
        "<mask>",
        "</s>",
        "[SEP]",
        "…",
      ),
      fc.constantFrom(
        "the",
        "wind",
        "Käfer",
        "猫が窓の",
        "Кошка",
        "١٢٣",
        "ﬁ",
        "🎨",
        "1934",
        "x".repeat(150),
        "\u0001",
        "▁",
        "ΟΔΟΣ",
        "豈",
        "𠀀",
      ),
      fc.string({ unit: "grapheme", maxLength: 8 }),
    ),
    { minLength: 1, maxLength: 60 },
  );

  test.each(["bert-mean", "bert-cased-cls-f16", "roberta-mean", "xlm-roberta-max"])(
    "%s: read in parts they have the tokens that they have as a whole",
    async (name) => {
      const tokenizer = await openTokenizer(join(folderOf(name), "tokenizer.json"));
      expect(tokenizer.longTexts).toBe(name.startsWith("bert") ? "segments" : "prefixes");
      await fc.assert(
        fc.asyncProperty(pieces, fc.integer({ min: 1, max: 20 }), async (parts, times) => {
          const text = parts.join("").repeat(times);
          const whole = tokenizer.contentIds(text);
          for (const maxTokens of [8, 100, 100_000]) {
            const [result] = await tokenizeTexts(tokenizer, [text], maxTokens);
            expect([...(result?.ids ?? [])]).toEqual([
              tokenizer.startId,
              ...whole.slice(0, maxTokens - 2),
              tokenizer.endId,
            ]);
            expect(result?.truncated).toBe(whole.length > maxTokens - 2);
          }
        }),
        { numRuns: 60 },
      );
    },
    60_000,
  );
});

describe("what is compiled", () => {
  test("is kept, for each precision by itself", async () => {
    const directory = folderOf("bert-mean");
    const first = await prepare(directory, "fp32");
    expect((await prepare(directory, "fp32")).modelPath).toBe(first.modelPath);
    const half = await prepare(directory, "fp16");
    expect(half.modelPath).not.toBe(first.modelPath);
    expect(half.modelBytes).toBeLessThan(first.modelBytes);
  });

  test("is another one when the configuration says so, with the same weights", async () => {
    const directory = join(cacheDir, "changed");
    await cp(folderOf("bert-mean"), directory, { recursive: true });
    const before = await prepare(directory);
    const pooling = JSON.stringify({ word_embedding_dimension: 32, pooling_mode_cls_token: true });
    await writeFile(join(directory, "1_Pooling", "config.json"), pooling);
    const after = await prepare(directory);
    expect(after.description.weights).toEqual(before.description.weights);
    expect(after.modelPath).not.toBe(before.modelPath);
    expect(localSpace(before.description).pooling).toBe("mean");
    expect(localSpace(after.description).id).toMatch(/^local:test\/tiny@[0-9a-f]{12}:32:cls:l2:24$/);
  });
});

test("no model lies here that nobody looks at", async () => {
  const entries = await readdir(folderOf("."), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  expect(folders.toSorted()).toEqual(MODELS.toSorted());
});
