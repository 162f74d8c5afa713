import { expect, test } from "@jest/globals";
import { findPrefix } from "./tensor-names.ts";

test.each(["", "bert.", "roberta.", "distilbert.", "0.auto_model.", "model.encoder."])(
  "what stands before the encoder's names is found: %j",
  (prefix) => {
    const names = [
      `${prefix}embeddings.word_embeddings.weight`,
      `${prefix}embeddings.LayerNorm.bias`,
      "cls.bias",
    ];
    expect(findPrefix(names)).toBe(prefix);
  },
);

test.each([
  ["no encoder", ["shared.weight", "myembeddings.word_embeddings.weight"], "there are: none"],
  [
    "two encoders",
    ["a.embeddings.word_embeddings.weight", "b.embeddings.word_embeddings.weight"],
    "there are: a.embeddings.word_embeddings.weight, b.embeddings.word_embeddings.weight",
  ],
])("weights of %s are refused", (_name, names, message) => {
  expect(() => findPrefix(names)).toThrow(expect.objectContaining({ kind: "data-loss" }));
  expect(() => findPrefix(names)).toThrow(message);
});
