import type { ModelArchitecture } from "../model.ts";
import type { BertLayer, BertWeights, LayerNorm, Linear } from "./bert.ts";
import {
  LEAST_TOKEN_SCALE,
  PRODUCTS,
  smoothingDivisors,
  type Calibration,
  type Site,
  type TokenScale,
} from "./calibration.ts";
import { GraphBuilder, type Graph, type GraphValue } from "./graph.ts";
import { affineCode, quantizeColumns } from "./quantize.ts";

/** Names of what goes into and comes out of the compiled model. */
export const INPUT_IDS = "input_ids";
export const ATTENTION_MASK = "attention_mask";
export const EMBEDDINGS = "embeddings";

/** Builds the products of one layer; everything else is the same in every precision. */
interface ProductBuilder {
  /** Self-attention from the layer's input: projections, softmax(QK^T / sqrt(d)) V, heads side by side. */
  attention(x: string, site: Site, linear: Linear): string;
  /** x W, without the bias. */
  product(x: string, site: Site, linear: Linear): string;
}

/** Length of each text of the batch, int32 [batch]; positions beyond it are padding at the right. */
const LENGTHS = "lengths";

function fp32Products(graph: GraphBuilder, model: ModelArchitecture): ProductBuilder {
  const weight = (site: Site, { weight: data, inputs, outputs }: Linear) =>
    graph.constant(`${site}.weight`, [inputs, outputs], data);
  return {
    attention: (x, site, linear) =>
      graph.node(
        "com.microsoft",
        "Attention",
        `${site}.attention`,
        [x, weight(site, linear), graph.constant(`${site}.bias`, [linear.outputs], linear.bias), LENGTHS],
        { num_heads: { int: model.heads } },
      ),
    product: (x, site, linear) => graph.node("", "MatMul", `${site}.product`, [x, weight(site, linear)]),
  };
}

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
    if (chosen.smoothing !== undefined) {
      const divisors = smoothingDivisors(chosen.smoothing);
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

/**
 * norm(x + residual + bias). Plain nodes on purpose: ONNX Runtime's LayerNormalization is vectorised where its fused
 * SkipLayerNormalization is not (5 against 24 us a token over the model's twelve).
 */
function addAndNormalize(
  graph: GraphBuilder,
  name: string,
  x: string,
  residual: string,
  bias: Float32Array<ArrayBuffer>,
  norm: LayerNorm,
  epsilon: number,
): string {
  const size = [bias.length];
  const sum = graph.node("", "Add", `${name}.residual`, [x, residual]);
  const biased = graph.node("", "Add", `${name}.biased`, [sum, graph.constant(`${name}.bias`, size, bias)]);
  const scale = graph.constant(`${name}.gamma`, size, norm.gamma);
  const shift = graph.constant(`${name}.beta`, size, norm.beta);
  return graph.node("", "LayerNormalization", name, [biased, scale, shift], {
    axis: { int: -1 },
    epsilon: { float: epsilon },
  });
}

/** Mean of the real tokens' vectors, scaled to length 1. The mean's division falls out of the scaling. */
function poolAndScale(graph: GraphBuilder, hidden: string): void {
  const FLOAT = 1;
  const axis = graph.constant("token_axis", [1], BigInt64Array.of(1n));
  const mask = graph.node("", "Cast", "mask.float", [ATTENTION_MASK], { to: { int: FLOAT } });
  const row = graph.node("", "Unsqueeze", "mask.row", [mask, axis]);
  const sum = graph.node("", "MatMul", "pooled.row", [row, hidden]);
  const pooled = graph.node("", "Squeeze", "pooled", [sum, axis]);
  graph.node("", "LpNormalization", EMBEDDINGS, [pooled], { axis: { int: -1 }, p: { int: 2 } });
}

/** Name of the value that goes into a product: what calibration observes. */
export type ProductInputs = ReadonlyMap<Site, string>;

/**
 * Builds a sentence encoder.
 * In: input_ids and attention_mask, int32 [batch, tokens], padding at the right with mask 0 (any id).
 * Out: embeddings, float32 [batch, hidden], each of length 1.
 * @param calibration makes the products 8-bit; without it they are float32.
 * @param observe also puts out every product's input, float32 [batch, tokens, channels].
 */
export function buildBertGraph(
  weights: BertWeights,
  model: ModelArchitecture,
  options: { calibration?: Calibration | undefined; observe?: boolean } = {},
): { graph: Graph; productInputs: ProductInputs } {
  const graph = new GraphBuilder();
  const { hidden, layerNormEpsilon: epsilon } = model;
  const products =
    options.calibration === undefined
      ? fp32Products(graph, model)
      : int8Products(graph, model, options.calibration);
  const productInputs = new Map<Site, string>();

  graph.nodeWithOutputs({
    name: "embedding",
    domain: "com.microsoft",
    operator: "EmbedLayerNormalization",
    inputs: [
      INPUT_IDS,
      "",
      graph.constant("word_embeddings", [model.vocabulary, hidden], weights.wordEmbeddings),
      graph.constant("position_embeddings", [model.maxTokens, hidden], weights.positionEmbeddings),
      "",
      graph.constant("embedding.gamma", [hidden], weights.embeddingNorm.gamma),
      graph.constant("embedding.beta", [hidden], weights.embeddingNorm.beta),
      ATTENTION_MASK,
    ],
    outputs: ["embedding", LENGTHS],
    attributes: { epsilon: { float: epsilon } },
  });

  const encode = (x: string, layer: BertLayer, i: number): string => {
    const context = products.attention(x, `${i}.qkv`, layer.qkv);
    const attended = addAndNormalize(
      graph,
      `${i}.attended`,
      products.product(context, `${i}.attentionOutput`, layer.attentionOutput),
      x,
      layer.attentionOutput.bias,
      layer.attentionNorm,
      epsilon,
    );
    const widened = products.product(attended, `${i}.intermediate`, layer.intermediate);
    const bias = graph.constant(`${i}.intermediate.bias`, [model.intermediate], layer.intermediate.bias);
    // erf, not the tanh approximation: BERT's own.
    const activated = graph.node("com.microsoft", "BiasGelu", `${i}.activated`, [widened, bias]);
    const inputs = [x, context, attended, activated];
    for (const [p, product] of PRODUCTS.entries()) productInputs.set(`${i}.${product}`, inputs[p] as string);
    return addAndNormalize(
      graph,
      `${i}.encoded`,
      products.product(activated, `${i}.output`, layer.output),
      attended,
      layer.output.bias,
      layer.outputNorm,
      epsilon,
    );
  };
  poolAndScale(graph, weights.layers.reduce(encode, "embedding"));

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
      [INPUT_IDS, ATTENTION_MASK].map((name) => ({ name, type: "int32", shape: ["batch", "tokens"] })),
      [{ name: EMBEDDINGS, type: "float32", shape: ["batch", hidden] }, ...observed],
    ),
  };
}
