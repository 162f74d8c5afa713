import type { ModelArchitecture } from "../model.ts";
import { LENGTHS, type ProductBuilder } from "./arithmetic.ts";
import type { Linear } from "./bert.ts";
import { LEAST_TOKEN_SCALE, type Calibration, type Site, type TokenScale } from "./calibration.ts";
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
