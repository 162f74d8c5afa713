import type { ModelArchitecture } from "../model.ts";
import { LENGTHS, type Arithmetic } from "./arithmetic.ts";
import { positionRows, type BertWeights } from "./bert.ts";
import type { GraphBuilder } from "./graph.ts";

/** ONNX's number for the type. */
const INT32 = 6;

/**
 * Positions as RoBERTa counts them: a token stands at the number of tokens up to it that are no padding tokens, and a padding token
 * that is part of a text (somebody wrote "<pad>") at 0.
 */
function robertaPositions(graph: GraphBuilder, model: ModelArchitecture, ids: string): string {
  const padding = graph.constant("padding_token", [], Int32Array.of(model.firstPosition - 1));
  const axis = graph.constant("position_axis", [], BigInt64Array.of(1n));
  const isPadding = graph.node("", "Equal", "tokens.are_padding", [ids, padding]);
  const isToken = graph.node("", "Not", "tokens.are_real", [isPadding]);
  const ones = graph.node("", "Cast", "tokens.count_as", [isToken], { to: { int: INT32 } });
  const count = graph.node("", "CumSum", "tokens.counted", [ones, axis]);
  return graph.node("", "Mul", "positions", [count, ones]);
}

/** norm(word + position + token type 0), and the lengths of the texts. @returns float [batch, tokens, hidden]. */
export function embedTokens(
  graph: GraphBuilder,
  model: ModelArchitecture,
  weights: BertWeights,
  { constant }: Pick<Arithmetic, "constant">,
  inputs: { readonly ids: string; readonly mask: string },
): string {
  const { hidden } = model;
  const output = "embedding";
  graph.nodeWithOutputs({
    name: output,
    domain: "com.microsoft",
    operator: "EmbedLayerNormalization",
    inputs: [
      inputs.ids,
      "",
      constant("word_embeddings", [model.vocabulary, hidden], weights.wordEmbeddings),
      constant("position_embeddings", [positionRows(model), hidden], weights.positionEmbeddings),
      "",
      constant("embedding.gamma", [hidden], weights.embeddingNorm.gamma),
      constant("embedding.beta", [hidden], weights.embeddingNorm.beta),
      inputs.mask,
      ...(model.family === "roberta" ? [robertaPositions(graph, model, inputs.ids)] : []),
    ],
    outputs: [output, LENGTHS],
    attributes: { epsilon: { float: model.layerNormEpsilon } },
  });
  return output;
}
