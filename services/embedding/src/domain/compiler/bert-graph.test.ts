import { describe, expect, test } from "@jest/globals";
import type { ModelArchitecture } from "../model.ts";
import type { BertWeights, LayerNorm, Linear } from "./bert.ts";
import { positionRows } from "./bert.ts";
import { buildBertGraph, EMBEDDINGS } from "./bert-graph.ts";
import { elementTypeOf, type Graph } from "./graph.ts";

const BERT: ModelArchitecture = {
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

function weightsOf(model: ModelArchitecture): BertWeights {
  const { hidden, intermediate } = model;
  const linear = (inputs: number, outputs: number): Linear => ({
    inputs,
    outputs,
    weight: new Float32Array(inputs * outputs).fill(0.1),
    bias: new Float32Array(outputs),
  });
  const norm: LayerNorm = { gamma: new Float32Array(hidden).fill(1), beta: new Float32Array(hidden) };
  return {
    wordEmbeddings: new Float32Array(model.vocabulary * hidden),
    positionEmbeddings: new Float32Array(positionRows(model) * hidden),
    embeddingNorm: norm,
    layers: [
      {
        qkv: linear(hidden, 3 * hidden),
        attentionOutput: linear(hidden, hidden),
        attentionNorm: norm,
        intermediate: linear(hidden, intermediate),
        output: linear(intermediate, hidden),
        outputNorm: norm,
      },
    ],
  };
}

const build = (model: ModelArchitecture, precision: "fp32" | "fp16"): Graph =>
  buildBertGraph(weightsOf(model), model, { precision }).graph;

const VARIANTS = (["bert", "roberta"] as const).flatMap((family) =>
  (["mean", "cls", "max"] as const).flatMap((pooling) =>
    (["gelu", "gelu_tanh", "relu"] as const).flatMap((activation) =>
      [true, false].map((normalize): ModelArchitecture => ({
        ...BERT,
        family,
        firstPosition: family === "roberta" ? 2 : 0,
        pooling,
        activation,
        normalize,
      })),
    ),
  ),
);

describe.each(["fp32", "fp16"] as const)("in %s", (precision) => {
  test.each(VARIANTS)(
    "$family, $pooling, $activation, $normalize: every value is made before it is used",
    (model) => {
      const { nodes, constants, inputs, outputs } = build(model, precision);
      const known = new Set([...inputs, ...constants].map(({ name }) => name));
      const made = new Set<string>();
      for (const node of nodes) {
        for (const input of node.inputs) if (input !== "") expect(known).toContain(input);
        for (const output of node.outputs) {
          expect(known).not.toContain(output);
          known.add(output);
          made.add(output);
        }
      }
      expect(outputs).toEqual([{ name: EMBEDDINGS, type: "float32", shape: ["batch", 2] }]);
      expect(made).toContain(EMBEDDINGS);
      // Nothing is made, or kept, that nobody uses.
      const used = new Set([EMBEDDINGS, ...nodes.flatMap((node) => node.inputs)]);
      expect([...known].filter((name) => !used.has(name))).toEqual([]);
    },
  );
});

/** Operators with kernels for CUDA, of `HALF` for float16 too, of `SINGLE` for what else they get here: docs/OperatorKernels.md of microsoft/onnxruntime. */
const HALF = [
  "Add",
  "Attention",
  "BiasGelu",
  "Cast",
  "EmbedLayerNormalization",
  "FastGelu",
  "Gather",
  "MatMul",
  "Relu",
  "SkipLayerNormalization",
];
const SINGLE = "CumSum Div Equal Max Mul Not ReduceL2 ReduceMax ReduceSum Squeeze Unsqueeze Where".split(" ");

test.each(VARIANTS)(
  "on CUDA nothing is left to the CPU: $family, $pooling, $activation, $normalize",
  (model) => {
    const { nodes, constants } = build(model, "fp16");
    expect(
      nodes.map((node) => node.operator).filter((operator) => ![...HALF, ...SINGLE].includes(operator)),
    ).toEqual([]);
    const half = new Set(
      constants.filter(({ data }) => elementTypeOf(data) === "float16").map(({ name }) => name),
    );
    const withHalves = nodes.filter((node) => node.inputs.some((input) => half.has(input)));
    expect(withHalves.map((node) => node.operator).filter((operator) => !HALF.includes(operator))).toEqual(
      [],
    );
  },
);

test("fp16 keeps float32 for what is computed after pooling, and for nothing before it", () => {
  const { constants } = build({ ...BERT, normalize: true }, "fp16");
  const single = constants.filter(({ data }) => elementTypeOf(data) === "float32").map(({ name }) => name);
  expect(single).toEqual(["least_length"]);
});

test("int8 without a calibration is a mistake", () => {
  expect(() => buildBertGraph(weightsOf(BERT), BERT, { precision: "int8" })).toThrow("need a calibration");
});
