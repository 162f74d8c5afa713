import { describe, expect, test } from "@jest/globals";
import type { ModelArchitecture } from "../model.ts";
import { positionRows, readBertWeights } from "./bert.ts";
import { tensorNames } from "./tensor-names.ts";
import type { ByteSource } from "./safetensors.ts";

const MODEL: ModelArchitecture = {
  family: "bert",
  vocabulary: 3,
  hidden: 2,
  intermediate: 3,
  heads: 1,
  layers: 1,
  positions: 5,
  firstPosition: 0,
  tokenTypes: 2,
  layerNormEpsilon: 1e-12,
  activation: "gelu",
  pooling: "mean",
  normalize: true,
  maxTokens: 3,
};

/** A safetensors file of the given tensors, in float32. */
function fileOf(tensors: Record<string, { shape: number[]; values: number[] }>): ByteSource {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, values }]) => {
      const start = end;
      end += values.length * 4;
      return [name, { dtype: "F32", shape, data_offsets: [start, end] }];
    }),
  );
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = Buffer.concat([
    Buffer.from(BigUint64Array.of(BigInt(text.length)).buffer),
    text,
    ...Object.values(tensors).map(({ values }) => Buffer.from(Float32Array.from(values).buffer)),
  ]);
  return {
    size: bytes.length,
    read: async (offset, length) => new Uint8Array(bytes.subarray(offset, offset + length)),
  };
}

const sequence = (shape: number[], from = 0) => ({
  shape,
  values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => from + i),
});

/** All tensors of a model of the shape above. */
function tensorsOf(model: ModelArchitecture, { norm = ["weight", "bias"] } = {}) {
  const { hidden, intermediate } = model;
  const [gamma, beta] = norm as [string, string];
  const names = tensorNames(model.family).layer(0);
  const linear = (name: string, inputs: number, outputs: number, from = 0) => ({
    [`${name}.weight`]: sequence([outputs, inputs], from),
    [`${name}.bias`]: sequence([outputs], from),
  });
  const normalisation = (name: string) => ({
    [`${name}.${gamma}`]: sequence([hidden], 1),
    [`${name}.${beta}`]: sequence([hidden], 7),
  });
  return {
    "embeddings.word_embeddings.weight": sequence([model.vocabulary, hidden]),
    "embeddings.position_embeddings.weight": sequence([model.positions, hidden]),
    ...(model.tokenTypes > 0 && {
      "embeddings.token_type_embeddings.weight": sequence([model.tokenTypes, hidden], 100),
    }),
    ...normalisation("embeddings.LayerNorm"),
    ...linear(names.qkv[0], hidden, hidden, 10),
    ...linear(names.qkv[1], hidden, hidden, 20),
    ...linear(names.qkv[2], hidden, hidden, 30),
    ...linear(names.attentionOutput, hidden, hidden),
    ...normalisation(names.attentionNorm),
    ...linear(names.intermediate, hidden, intermediate),
    ...linear(names.output, intermediate, hidden),
    ...normalisation(names.outputNorm),
  };
}

describe("weights", () => {
  test("are arranged as columns, query, key and value side by side", async () => {
    const { layers } = await readBertWeights([fileOf(tensorsOf(MODEL))], MODEL);
    expect([...(layers[0]?.qkv.weight ?? [])]).toEqual([10, 12, 20, 22, 30, 32, 11, 13, 21, 23, 31, 33]);
    expect([...(layers[0]?.qkv.bias ?? [])]).toEqual([10, 11, 20, 21, 30, 31]);
    expect([...(layers[0]?.intermediate.weight ?? [])]).toEqual([0, 2, 4, 1, 3, 5]);
  });

  test("of positions are as many as a text has tokens, with token type 0 in them", async () => {
    const { positionEmbeddings } = await readBertWeights([fileOf(tensorsOf(MODEL))], MODEL);
    expect([...positionEmbeddings]).toEqual([100, 102, 102, 104, 104, 106]);
  });

  test("of RoBERTa's positions begin with that of its padding token", async () => {
    const model: ModelArchitecture = { ...MODEL, family: "roberta", firstPosition: 2, tokenTypes: 1 };
    const { positionEmbeddings } = await readBertWeights([fileOf(tensorsOf(model))], model);
    expect(positionRows(model)).toBe(4);
    // Rows 1 to 4 of the tensor.
    expect([...positionEmbeddings]).toEqual([102, 104, 104, 106, 106, 108, 108, 110]);
  });

  test("of DistilBERT have names of their own, and no token types", async () => {
    const model: ModelArchitecture = { ...MODEL, family: "distilbert", tokenTypes: 0 };
    const { positionEmbeddings, layers } = await readBertWeights([fileOf(tensorsOf(model))], model);
    expect([...positionEmbeddings]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(layers[0]?.qkv.outputs).toBe(6);
  });

  test("of normalisation may have TensorFlow's names", async () => {
    const file = fileOf(tensorsOf(MODEL, { norm: ["gamma", "beta"] }));
    const { embeddingNorm, layers } = await readBertWeights([file], MODEL);
    expect([...embeddingNorm.gamma, ...(layers[0]?.outputNorm.beta ?? [])]).toEqual([1, 2, 7, 8]);
  });

  test("that are missing are named", async () => {
    const model = { ...MODEL, layers: 2 };
    await expect(readBertWeights([fileOf(tensorsOf(MODEL))], model)).rejects.toThrow(
      "tensor encoder.layer.1.attention.self.query.weight is missing",
    );
  });
});
