import type { ModelArchitecture } from "../model.ts";
import { openTensors, readFloats, type ByteSource } from "./safetensors.ts";
import { findPrefix, tensorNames } from "./tensor-names.ts";

type Floats = Float32Array<ArrayBuffer>;

/** y = x W + b. */
export interface Linear {
  /** [inputs, outputs], row-major: a column holds the weights of one output. */
  readonly weight: Floats;
  readonly bias: Floats;
  readonly inputs: number;
  readonly outputs: number;
}

export interface LayerNorm {
  readonly gamma: Floats;
  readonly beta: Floats;
}

export interface BertLayer {
  /** Query, key and value side by side: [hidden, 3 x hidden]. */
  readonly qkv: Linear;
  readonly attentionOutput: Linear;
  readonly attentionNorm: LayerNorm;
  readonly intermediate: Linear;
  readonly output: Linear;
  readonly outputNorm: LayerNorm;
}

/** An encoder's weights, arranged for x W products. */
export interface BertWeights {
  /** [vocabulary, hidden] */
  readonly wordEmbeddings: Floats;
  /**
   * [positionRows(model), hidden], from the first position that a text can have; the embedding of token type 0, which every token has, is added
   * already.
   */
  readonly positionEmbeddings: Floats;
  readonly embeddingNorm: LayerNorm;
  readonly layers: readonly BertLayer[];
}

/** Copies `weight` ([outputs, inputs], as PyTorch keeps it) into columns from `column` of `into` ([inputs, width]). */
function transposeInto(into: Floats, width: number, column: number, weight: Floats, inputs: number): void {
  const outputs = weight.length / inputs;
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      into[input * width + column + output] = weight[output * inputs + input] as number;
    }
  }
}

/**
 * Rows of the position embeddings that are used. RoBERTa's first one is that of its padding token, which is where that token
 * stands when it is part of a text.
 */
export function positionRows(model: ModelArchitecture): number {
  return model.maxTokens + (model.family === "roberta" ? 1 : 0);
}

/**
 * Reads an encoder from safetensors with the tensor names of Hugging Face's models, whatever stands before them.
 * @param sources the files that the weights are split into, usually one.
 * @throws KindredError data-loss when a file is damaged or holds another architecture.
 */
export async function readBertWeights(
  sources: readonly ByteSource[],
  model: ModelArchitecture,
): Promise<BertWeights> {
  const store = await openTensors(sources);
  const prefix = findPrefix(store.tensors.keys());
  const names = tensorNames(model.family);
  const { hidden, intermediate } = model;
  const read = (name: string, shape: readonly number[]) => readFloats(store, `${prefix}${name}`, shape);

  /** Linear layers with the same input, side by side. */
  const linear = async (parts: readonly string[], inputs: number, outputsEach: number): Promise<Linear> => {
    const outputs = outputsEach * parts.length;
    const weight = new Float32Array(inputs * outputs);
    const bias = new Float32Array(outputs);
    for (const [i, name] of parts.entries()) {
      const part = await read(`${name}.weight`, [outputsEach, inputs]);
      transposeInto(weight, outputs, i * outputsEach, part, inputs);
      bias.set(await read(`${name}.bias`, [outputsEach]), i * outputsEach);
    }
    return { weight, bias, inputs, outputs };
  };
  const norm = async (name: string): Promise<LayerNorm> => {
    // BERT's first checkpoints came from TensorFlow, with its names.
    const old = store.tensors.has(`${prefix}${name}.gamma`);
    return {
      gamma: await read(`${name}.${old ? "gamma" : "weight"}`, [hidden]),
      beta: await read(`${name}.${old ? "beta" : "bias"}`, [hidden]),
    };
  };

  const wordEmbeddings = await read("embeddings.word_embeddings.weight", [model.vocabulary, hidden]);
  const allPositions = await read("embeddings.position_embeddings.weight", [model.positions, hidden]);
  const rows = positionRows(model);
  const end = model.firstPosition + model.maxTokens;
  const positionEmbeddings = allPositions.slice((end - rows) * hidden, end * hidden);
  if (model.tokenTypes > 0) {
    const types = await read("embeddings.token_type_embeddings.weight", [model.tokenTypes, hidden]);
    for (let i = 0; i < positionEmbeddings.length; i++) {
      positionEmbeddings[i] = (positionEmbeddings[i] as number) + (types[i % hidden] as number);
    }
  }
  const embeddingNorm = await norm("embeddings.LayerNorm");

  const layers: BertLayer[] = [];
  for (let i = 0; i < model.layers; i++) {
    const layer = names.layer(i);
    layers.push({
      qkv: await linear(layer.qkv, hidden, hidden),
      attentionOutput: await linear([layer.attentionOutput], hidden, hidden),
      attentionNorm: await norm(layer.attentionNorm),
      intermediate: await linear([layer.intermediate], hidden, intermediate),
      output: await linear([layer.output], intermediate, hidden),
      outputNorm: await norm(layer.outputNorm),
    });
  }
  return { wordEmbeddings, positionEmbeddings, embeddingNorm, layers };
}
