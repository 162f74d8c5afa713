import { KindredError } from "@kindred/errors";
import type { ModelFamily } from "../model.ts";

/** What the tensors of one layer are called, without ".weight" and ".bias". */
export interface LayerNames {
  /** Query, key and value. */
  readonly qkv: readonly [string, string, string];
  readonly attentionOutput: string;
  readonly attentionNorm: string;
  readonly intermediate: string;
  readonly output: string;
  readonly outputNorm: string;
}

function bertLayer(i: number): LayerNames {
  const layer = `encoder.layer.${i}`;
  const self = `${layer}.attention.self`;
  return {
    qkv: [`${self}.query`, `${self}.key`, `${self}.value`],
    attentionOutput: `${layer}.attention.output.dense`,
    attentionNorm: `${layer}.attention.output.LayerNorm`,
    intermediate: `${layer}.intermediate.dense`,
    output: `${layer}.output.dense`,
    outputNorm: `${layer}.output.LayerNorm`,
  };
}

function distilbertLayer(i: number): LayerNames {
  const layer = `transformer.layer.${i}`;
  const attention = `${layer}.attention`;
  return {
    qkv: [`${attention}.q_lin`, `${attention}.k_lin`, `${attention}.v_lin`],
    attentionOutput: `${attention}.out_lin`,
    attentionNorm: `${layer}.sa_layer_norm`,
    intermediate: `${layer}.ffn.lin1`,
    output: `${layer}.ffn.lin2`,
    outputNorm: `${layer}.output_layer_norm`,
  };
}

/** The names that Hugging Face's models of a family have; the embeddings' are the same in all. */
export function tensorNames(family: ModelFamily): { layer(i: number): LayerNames } {
  return { layer: family === "distilbert" ? distilbertLayer : bertLayer };
}

const WORD_EMBEDDINGS = "embeddings.word_embeddings.weight";

/**
 * What stands before the encoder's tensor names: "" where it was saved alone, "bert." and the like where it was part of another
 * model, "0.auto_model." where sentence-transformers saved all of its modules in one file.
 * @throws KindredError data-loss when there is no encoder, or more than one.
 */
export function findPrefix(names: Iterable<string>): string {
  const prefixes = [...names]
    .filter((name) => name === WORD_EMBEDDINGS || name.endsWith(`.${WORD_EMBEDDINGS}`))
    .map((name) => name.slice(0, -WORD_EMBEDDINGS.length));
  const [prefix] = prefixes;
  if (prefix !== undefined && prefixes.length === 1) return prefix;
  const found = prefixes.length === 0 ? "none" : prefixes.map((one) => `${one}${WORD_EMBEDDINGS}`).join(", ");
  throw new KindredError(
    "data-loss",
    `the weights must have one tensor ${WORD_EMBEDDINGS}, there are: ${found}`,
  );
}
