import type { ModelArchitecture } from "../model.ts";
import type { LayerNorm, Linear } from "./bert.ts";
import type { Site } from "./calibration.ts";
import type { GraphBuilder } from "./graph.ts";
import { toFloat16 } from "./float16.ts";

/** Builds the products of one layer. */
export interface ProductBuilder {
  /** Self-attention from the layer's input: projections, softmax(QK^T / sqrt(d)) V, heads side by side. */
  attention(x: string, site: Site, linear: Linear): string;
  /** x W, without the bias. */
  product(x: string, site: Site, linear: Linear): string;
}

/** What a layer is built of, in one kind of numbers. */
export interface Arithmetic extends ProductBuilder {
  /** A constant in the type of the activations. */
  constant(name: string, shape: readonly number[], data: Float32Array<ArrayBuffer>): string;
  /** norm(x + residual + bias) */
  addAndNormalize(
    name: string,
    x: string,
    residual: string,
    bias: Float32Array<ArrayBuffer>,
    norm: LayerNorm,
  ): string;
}

/** Length of each text of the batch, int32 [batch]; positions beyond it are padding at the right. */
export const LENGTHS = "lengths";

/** Products of floating-point numbers, in the type that `constant` gives. */
function floatProducts(
  graph: GraphBuilder,
  model: ModelArchitecture,
  constant: Arithmetic["constant"],
): ProductBuilder {
  const weight = (site: Site, { weight: data, inputs, outputs }: Linear) =>
    constant(`${site}.weight`, [inputs, outputs], data);
  return {
    attention: (x, site, linear) =>
      graph.node(
        "com.microsoft",
        "Attention",
        `${site}.attention`,
        [x, weight(site, linear), constant(`${site}.bias`, [linear.outputs], linear.bias), LENGTHS],
        { num_heads: { int: model.heads } },
      ),
    product: (x, site, linear) => graph.node("", "MatMul", `${site}.product`, [x, weight(site, linear)]),
  };
}

/**
 * Single precision, for the CPU. Normalisation is of plain nodes on purpose: ONNX Runtime's LayerNormalization is vectorised there,
 * and its fused SkipLayerNormalization is not (5 against 24 us a token over MiniLM's twelve).
 */
export function fp32Arithmetic(graph: GraphBuilder, model: ModelArchitecture): Arithmetic {
  const constant: Arithmetic["constant"] = (name, shape, data) => graph.constant(name, shape, data);
  return {
    constant,
    ...floatProducts(graph, model, constant),
    addAndNormalize: (name, x, residual, bias, norm) => {
      const size = [bias.length];
      const sum = graph.node("", "Add", `${name}.residual`, [x, residual]);
      const biased = graph.node("", "Add", `${name}.biased`, [sum, constant(`${name}.bias`, size, bias)]);
      const scale = constant(`${name}.gamma`, size, norm.gamma);
      const shift = constant(`${name}.beta`, size, norm.beta);
      return graph.node("", "LayerNormalization", name, [biased, scale, shift], {
        axis: { int: -1 },
        epsilon: { float: model.layerNormEpsilon },
      });
    },
  };
}

/**
 * Half precision, for CUDA, whose kernels there are the fused ones: one pass over memory for what is two Adds and a normalisation on
 * the CPU.
 *
 * Nothing is clipped. Weights beyond the range of float16 are refused. Activations stay far below 65,504, because these encoders
 * normalise after each block: a block's input has the variance that its gamma gives it, whatever came before. (It is
 * models that normalise before each block, and T5, whose sums grow from layer to layer until they overflow.) The largest that
 * all-MiniLM-L6-v2 reaches is 28; matrix products accumulate in float32 on CUDA, and so does the pooling in this graph.
 */
export function fp16Arithmetic(graph: GraphBuilder, model: ModelArchitecture): Arithmetic {
  const constant: Arithmetic["constant"] = (name, shape, data) =>
    graph.constant(name, shape, toFloat16(name, data));
  return {
    constant,
    ...floatProducts(graph, model, constant),
    addAndNormalize: (name, x, residual, bias, norm) => {
      const size = [bias.length];
      const inputs = [
        x,
        residual,
        constant(`${name}.gamma`, size, norm.gamma),
        constant(`${name}.beta`, size, norm.beta),
        constant(`${name}.bias`, size, bias),
      ];
      return graph.node("com.microsoft", "SkipLayerNormalization", name, inputs, {
        epsilon: { float: model.layerNormEpsilon },
      });
    },
  };
}
