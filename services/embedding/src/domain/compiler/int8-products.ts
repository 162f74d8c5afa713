import type { ModelArchitecture } from "../model.ts";
import { LENGTHS, type ProductBuilder } from "./arithmetic.ts";
import type { Linear } from "./bert.ts";
import {
  LEAST_TOKEN_SCALE,
  type Calibration,
  type Site,
  type SiteCalibration,
  type TokenScale,
} from "./calibration.ts";
import type { GraphBuilder } from "./graph.ts";
import { affineCode, quantizeColumns } from "./quantize.ts";

/**
 * 8-bit products. What the input is scaled by is fixed at compile time or taken from the token itself: a text's vector then depends on
 * nothing but the text, where a range taken from the batch would make it depend on the batch.
 */
export function int8Products(
  graph: GraphBuilder,
  model: ModelArchitecture,
  calibration: Calibration,
): ProductBuilder {
  const code = (site: Site, { low, high }: SiteCalibration) => {
    const { scale, zeroPoint } = affineCode(low, high);
    return { scale, zeroPoint: graph.constant(`${site}.input_zero_point`, [], Uint8Array.of(zeroPoint)) };
  };

  /** What goes into a product, its channels divided by what the weights are multiplied by. */
  const smoothed = (x: string, site: Site, linear: Linear, { divisors }: SiteCalibration) => {
    const { inputs, outputs } = linear;
    if (divisors === undefined) return { input: x, matrix: linear.weight };
    const factors = divisors.map((divisor) => 1 / divisor);
    return {
      input: graph.node("", "Mul", `${site}.smoothed`, [
        x,
        graph.constant(`${site}.smoothing`, [inputs], factors),
      ]),
      matrix: linear.weight.map((value, i) => value * (divisors[Math.floor(i / outputs)] as number)),
    };
  };

  const quantizedWeights = (site: Site, matrix: Float32Array, { inputs, outputs }: Linear) => {
    const { values, scales } = quantizeColumns(matrix, inputs, outputs);
    return {
      weight: graph.constant(`${site}.weight`, [inputs, outputs], values),
      scales: graph.constant(`${site}.weight_scale`, [outputs], scales),
      zeroPoints: graph.constant(`${site}.weight_zero_point`, [outputs], new Int8Array(outputs)),
    };
  };

  /** One range for all tokens. */
  const fixed = (x: string, site: Site, linear: Linear, chosen: SiteCalibration) => {
    const { input, matrix } = smoothed(x, site, linear, chosen);
    const { scale: step, zeroPoint } = code(site, chosen);
    const scale = graph.constant(`${site}.input_scale`, [], Float32Array.of(step));
    const quantized = graph.node("", "QuantizeLinear", `${site}.quantized`, [input, scale, zeroPoint]);
    return { quantized, scale, zeroPoint, ...quantizedWeights(site, matrix, linear) };
  };

  /** A scale for each token. Tokens become rows for it, because a quantiser's scales go along one axis. */
  const byToken = (
    x: string,
    site: Site,
    linear: Linear,
    chosen: SiteCalibration,
    by: TokenScale,
  ): string => {
    const { inputs, outputs } = linear;
    const { input, matrix } = smoothed(x, site, linear, chosen);
    const { scale: step, zeroPoint } = code(site, chosen);
    const rowShape = graph.constant(`${site}.row_shape`, [2], BigInt64Array.of(-1n, BigInt(inputs)));
    const axis = graph.constant(`${site}.channel_axis`, [1], BigInt64Array.of(1n));
    const rows = graph.node("", "Reshape", `${site}.rows`, [input, rowShape]);
    const sizes = by === "magnitude" ? graph.node("", "Abs", `${site}.magnitudes`, [rows]) : rows;
    const largest = graph.node("", "ReduceMax", `${site}.largest`, [sizes, axis], { keepdims: { int: 0 } });
    const least = graph.constant(`${site}.least_scale`, [], Float32Array.of(LEAST_TOKEN_SCALE[by]));
    const bounded = graph.node("", "Max", `${site}.bounded`, [largest, least]);
    const stepOfUnit = graph.constant(`${site}.step`, [], Float32Array.of(step));
    const steps = graph.node("", "Mul", `${site}.steps`, [bounded, stepOfUnit]);
    const count = graph.node("", "Shape", `${site}.count`, [steps]);
    const zeroPoints = graph.node("", "Expand", `${site}.zero_points`, [zeroPoint, count]);
    const quantized = graph.node("", "QuantizeLinear", `${site}.quantized`, [rows, steps, zeroPoints], {
      axis: { int: 0 },
    });
    const weights = quantizedWeights(site, matrix, linear);
    // The tokens' own steps follow below.
    const one = graph.constant(`${site}.one`, [], Float32Array.of(1));
    const product = graph.node("com.microsoft", "MatMulIntegerToFloat", `${site}.of_steps`, [
      quantized,
      weights.weight,
      one,
      weights.scales,
      zeroPoint,
      weights.zeroPoints,
    ]);
    const column = graph.node("", "Unsqueeze", `${site}.step_column`, [steps, axis]);
    const scaled = graph.node("", "Mul", `${site}.product_rows`, [product, column]);
    const batch = graph.node("", "Shape", `${site}.batch`, [x], { end: { int: 2 } });
    const width = graph.constant(`${site}.width`, [1], BigInt64Array.of(BigInt(outputs)));
    const shape = graph.node("", "Concat", `${site}.shape`, [batch, width], { axis: { int: 0 } });
    return graph.node("", "Reshape", `${site}.product`, [scaled, shape]);
  };

  const calibrationOf = (site: Site): SiteCalibration => {
    const chosen = calibration.get(site);
    if (chosen === undefined) throw new RangeError(`the calibration has nothing for ${site}`);
    return chosen;
  };
  return {
    attention: (x, site, linear) => {
      const chosen = calibrationOf(site);
      if (chosen.tokenScale !== undefined)
        throw new RangeError(`${site}: attention has no place for token scales`);
      const q = fixed(x, site, linear, chosen);
      const bias = graph.constant(`${site}.bias`, [linear.outputs], linear.bias);
      const inputs = [q.quantized, q.weight, bias, q.scale, q.scales, LENGTHS, q.zeroPoint, q.zeroPoints];
      return graph.node("com.microsoft", "QAttention", `${site}.attention`, inputs, {
        num_heads: { int: model.heads },
      });
    },
    product: (x, site, linear) => {
      const chosen = calibrationOf(site);
      if (chosen.tokenScale !== undefined) return byToken(x, site, linear, chosen, chosen.tokenScale);
      const q = fixed(x, site, linear, chosen);
      const inputs = [q.quantized, q.weight, q.scale, q.scales, q.zeroPoint, q.zeroPoints];
      return graph.node("com.microsoft", "MatMulIntegerToFloat", `${site}.product`, inputs);
    },
  };
}
