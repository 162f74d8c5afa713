import type { ModelArchitecture } from "../model.ts";
import type { Precision } from "../precision.ts";
import { activate } from "./activation.ts";
import { fp16Arithmetic, fp32Arithmetic, type Arithmetic } from "./arithmetic.ts";
import type { BertLayer, BertWeights } from "./bert.ts";
import { PRODUCTS, type Calibration, type Site } from "./calibration.ts";
import { embedTokens } from "./embedding.ts";
import { GraphBuilder, type Graph, type GraphValue } from "./graph.ts";
import { int8Products } from "./int8-products.ts";
import { poolAndScale } from "./pooling.ts";

/** Names of what goes into and comes out of the compiled model. */
export const INPUT_IDS = "input_ids";
export const ATTENTION_MASK = "attention_mask";
export const EMBEDDINGS = "embeddings";

function arithmeticOf(
  graph: GraphBuilder,
  model: ModelArchitecture,
  { precision = "fp32", calibration }: GraphOptions,
): Arithmetic {
  if (precision === "fp16") return fp16Arithmetic(graph, model);
  const fp32 = fp32Arithmetic(graph, model);
  if (precision === "fp32") return fp32;
  if (calibration === undefined) throw new RangeError("8-bit products need a calibration");
  return { ...fp32, ...int8Products(graph, model, calibration) };
}

/** Name of the value that goes into a product: what calibration observes. */
export type ProductInputs = ReadonlyMap<Site, string>;

export interface GraphOptions {
  /** fp32 unless told otherwise. */
  readonly precision?: Precision;
  /** Needed for int8. */
  readonly calibration?: Calibration | undefined;
  /** Also puts out every product's input, float32 [batch, tokens, channels]; for fp32. */
  readonly observe?: boolean;
}

/**
 * Builds a sentence encoder.
 * In: input_ids and attention_mask, int32 [batch, tokens], padding at the right with mask 0 (any id).
 * Out: embeddings, float32 [batch, hidden], whatever the precision.
 */
export function buildBertGraph(
  weights: BertWeights,
  model: ModelArchitecture,
  options: GraphOptions = {},
): { graph: Graph; productInputs: ProductInputs } {
  const graph = new GraphBuilder();
  const { hidden, activation } = model;
  const arithmetic = arithmeticOf(graph, model, options);
  const productInputs = new Map<Site, string>();

  const encode = (x: string, layer: BertLayer, i: number): string => {
    const context = arithmetic.attention(x, `${i}.qkv`, layer.qkv);
    const attended = arithmetic.addAndNormalize(
      `${i}.attended`,
      arithmetic.product(context, `${i}.attentionOutput`, layer.attentionOutput),
      x,
      layer.attentionOutput.bias,
      layer.attentionNorm,
    );
    const widened = arithmetic.product(attended, `${i}.intermediate`, layer.intermediate);
    const { bias } = layer.intermediate;
    const activated = activate(graph, arithmetic, `${i}.activated`, { x: widened, bias, activation });
    const inputs = [x, context, attended, activated];
    for (const [p, product] of PRODUCTS.entries()) productInputs.set(`${i}.${product}`, inputs[p] as string);
    return arithmetic.addAndNormalize(
      `${i}.encoded`,
      arithmetic.product(activated, `${i}.output`, layer.output),
      attended,
      layer.output.bias,
      layer.outputNorm,
    );
  };
  const [ids, mask] = [INPUT_IDS, ATTENTION_MASK];
  const embedded = embedTokens(graph, model, weights, arithmetic, { ids, mask });
  const encoded = weights.layers.reduce(encode, embedded);
  poolAndScale(graph, model, {
    hidden: encoded,
    mask,
    half: options.precision === "fp16",
    output: EMBEDDINGS,
  });

  const observed: GraphValue[] = options.observe
    ? [...productInputs].map(([site, name]) => ({
        name,
        type: "float32",
        shape: ["batch", "tokens", site.endsWith(".output") ? model.intermediate : hidden],
      }))
    : [];
  return {
    productInputs,
    graph: graph.build(
      "sentence_encoder",
      [ids, mask].map((name) => ({ name, type: "int32", shape: ["batch", "tokens"] })),
      [{ name: EMBEDDINGS, type: "float32", shape: ["batch", hidden] }, ...observed],
    ),
  };
}
