import type { ModelArchitecture } from "../model.ts";
import type { Precision } from "../precision.ts";
import { activate } from "./activation.ts";
import {
  fp16Arithmetic,
  fp32Arithmetic,
  LENGTHS,
  type Arithmetic,
  type ProductBuilder,
} from "./arithmetic.ts";
import type { BertLayer, BertWeights, Linear } from "./bert.ts";
import { LEAST_TOKEN_SCALE, PRODUCTS, type Calibration, type Site, type TokenScale } from "./calibration.ts";
import { embedTokens } from "./embedding.ts";
import { GraphBuilder, type Graph, type GraphValue } from "./graph.ts";
import { poolAndScale } from "./pooling.ts";
import { affineCode, quantizeColumns } from "./quantize.ts";

/** Names of what goes into and comes out of the compiled model. */
export const INPUT_IDS = "input_ids";
export const ATTENTION_MASK = "attention_mask";
export const EMBEDDINGS = "embeddings";

/**
 * 8-bit products. What the input is scaled by is fixed at compile time or taken from the token itself: a text's vector then depends on
 * nothing but the text, where a range taken from the batch would make it depend on the batch.
 */
function int8Products(
  graph: GraphBuilder,
  model: ModelArchitecture,
  calibration: Calibration,
): ProductBuilder {
  /** Divides each token by its scale. */
  const scaleTokens = (x: string, site: Site, by: TokenScale): { scaled: string; tokenScale: string } => {
    const axis = graph.constant(`${site}.channel_axis`, [1], BigInt64Array.of(-1n));
    const least = graph.constant(`${site}.least_scale`, [], Float32Array.of(LEAST_TOKEN_SCALE[by]));
    const sizes = by === "magnitude" ? graph.node("", "Abs", `${site}.magnitudes`, [x]) : x;
    const largest = graph.node("", "ReduceMax", `${site}.largest`, [sizes, axis], { keepdims: { int: 1 } });
    const tokenScale = graph.node("", "Max", `${site}.token_scale`, [largest, least]);
    return { scaled: graph.node("", "Div", `${site}.scaled`, [x, tokenScale]), tokenScale };
  };

  const quantized = (x: string, site: Site, { weight, inputs, outputs }: Linear) => {
    const chosen = calibration.get(site);
    if (chosen === undefined) throw new RangeError(`the calibration has nothing for ${site}`);
    let [input, matrix] = [x, weight];
    const { divisors } = chosen;
    if (divisors !== undefined) {
      const factors = graph.constant(
        `${site}.smoothing`,
        [inputs],
        divisors.map((divisor) => 1 / divisor),
      );
      input = graph.node("", "Mul", `${site}.smoothed`, [x, factors]);
      matrix = weight.map((value, i) => value * (divisors[Math.floor(i / outputs)] as number));
    }
    let tokenScale: string | undefined;
    if (chosen.tokenScale !== undefined) {
      const tokens = scaleTokens(input, site, chosen.tokenScale);
      [input, tokenScale] = [tokens.scaled, tokens.tokenScale];
    }
    const { values, scales } = quantizeColumns(matrix, inputs, outputs);
    const code = affineCode(chosen.low, chosen.high);
    const scale = graph.constant(`${site}.input_scale`, [], Float32Array.of(code.scale));
    const zeroPoint = graph.constant(`${site}.input_zero_point`, [], Uint8Array.of(code.zeroPoint));
    return {
      input: graph.node("", "QuantizeLinear", `${site}.quantized`, [input, scale, zeroPoint]),
      weight: graph.constant(`${site}.weight`, [inputs, outputs], values),
      scale,
      weightScales: graph.constant(`${site}.weight_scale`, [outputs], scales),
      zeroPoint,
      weightZeroPoints: graph.constant(`${site}.weight_zero_point`, [outputs], new Int8Array(outputs)),
      tokenScale,
    };
  };
  return {
    attention: (x, site, linear) => {
      const q = quantized(x, site, linear);
      if (q.tokenScale !== undefined)
        throw new RangeError(`${site}: attention has no place for token scales`);
      const bias = graph.constant(`${site}.bias`, [linear.outputs], linear.bias);
      const inputs = [
        q.input,
        q.weight,
        bias,
        q.scale,
        q.weightScales,
        LENGTHS,
        q.zeroPoint,
        q.weightZeroPoints,
      ];
      return graph.node("com.microsoft", "QAttention", `${site}.attention`, inputs, {
        num_heads: { int: model.heads },
      });
    },
    product: (x, site, linear) => {
      const q = quantized(x, site, linear);
      const inputs = [q.input, q.weight, q.scale, q.weightScales, q.zeroPoint, q.weightZeroPoints];
      if (q.tokenScale === undefined) {
        return graph.node("com.microsoft", "MatMulIntegerToFloat", `${site}.product`, inputs);
      }
      const product = graph.node("com.microsoft", "MatMulIntegerToFloat", `${site}.of_scaled`, inputs);
      return graph.node("", "Mul", `${site}.product`, [product, q.tokenScale]);
    },
  };
}

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
