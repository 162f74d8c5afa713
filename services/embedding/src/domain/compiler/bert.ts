import type { ModelArchitecture } from "../model.ts";
import { readFloat32, readSafetensorsIndex, type ByteSource } from "./safetensors.ts";

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

/** A BERT encoder's weights, arranged for x W products. */
export interface BertWeights {
  /** [vocabulary, hidden] */
  readonly wordEmbeddings: Floats;
  /** [max_tokens, hidden]; the embedding of token type 0, which every token has, is added already. */
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
 * Reads a BERT encoder from safetensors with the tensor names of Hugging Face's BertModel.
 * @throws KindredError data-loss when the file is damaged or holds another architecture.
 */
export async function readBertWeights(source: ByteSource, model: ModelArchitecture): Promise<BertWeights> {
  const index = await readSafetensorsIndex(source);
  const { hidden, intermediate } = model;
  const read = (name: string, shape: readonly number[]) => readFloat32(source, index, name, shape);

  /** Linear layers with the same input, side by side. */
  const linear = async (names: readonly string[], inputs: number, outputsEach: number): Promise<Linear> => {
    const outputs = outputsEach * names.length;
    const weight = new Float32Array(inputs * outputs);
    const bias = new Float32Array(outputs);
    for (const [i, name] of names.entries()) {
      transposeInto(
        weight,
        outputs,
        i * outputsEach,
        await read(`${name}.weight`, [outputsEach, inputs]),
        inputs,
      );
      bias.set(await read(`${name}.bias`, [outputsEach]), i * outputsEach);
    }
    return { weight, bias, inputs, outputs };
  };
  const norm = async (name: string): Promise<LayerNorm> => ({
    gamma: await read(`${name}.weight`, [hidden]),
    beta: await read(`${name}.bias`, [hidden]),
  });

  const wordEmbeddings = await read("embeddings.word_embeddings.weight", [model.vocabulary, hidden]);
  const allPositions = await read("embeddings.position_embeddings.weight", [model.positions, hidden]);
  const tokenTypes = await read("embeddings.token_type_embeddings.weight", [model.tokenTypes, hidden]);
  const positionEmbeddings = allPositions.slice(0, model.maxTokens * hidden);
  for (let i = 0; i < positionEmbeddings.length; i++) {
    positionEmbeddings[i] = (positionEmbeddings[i] as number) + (tokenTypes[i % hidden] as number);
  }
  const embeddingNorm = await norm("embeddings.LayerNorm");

  const layers: BertLayer[] = [];
  for (let i = 0; i < model.layers; i++) {
    const layer = `encoder.layer.${i}`;
    const self = `${layer}.attention.self`;
    layers.push({
      qkv: await linear([`${self}.query`, `${self}.key`, `${self}.value`], hidden, hidden),
      attentionOutput: await linear([`${layer}.attention.output.dense`], hidden, hidden),
      attentionNorm: await norm(`${layer}.attention.output.LayerNorm`),
      intermediate: await linear([`${layer}.intermediate.dense`], hidden, intermediate),
      output: await linear([`${layer}.output.dense`], intermediate, hidden),
      outputNorm: await norm(`${layer}.output.LayerNorm`),
    });
  }
  return { wordEmbeddings, positionEmbeddings, embeddingNorm, layers };
}
