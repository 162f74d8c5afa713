import type { BertWeights, Linear } from "./bert.ts";

/** The matrix products of a layer, each with an input of its own. */
export const PRODUCTS = ["qkv", "attentionOutput", "intermediate", "output"] as const;
export type Product = (typeof PRODUCTS)[number];

/** "<layer>.<product>" */
export type Site = `${number}.${Product}`;

/** How the input of one product is quantised to 8 bits. */
export interface SiteCalibration {
  /** Range that the 8 bits span, after smoothing. */
  readonly low: number;
  readonly high: number;
  /**
   * Divisor of each input channel, in eighths of a power of two: channel c is divided by 2^(smoothing[c] / 8), and
   * the weights are multiplied by it, so that a few large channels do not take the range from all others.
   */
  readonly smoothing: Int8Array<ArrayBuffer> | undefined;
}

export type Calibration = ReadonlyMap<Site, SiteCalibration>;

/** Smallest and largest value of each input channel of a product, over the calibration texts. */
export interface ChannelRange {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

/**
 * SmoothQuant (Xiao et al. 2022, arXiv:2211.10438): channel c is divided by a_c^alpha / w_c^(1 - alpha), where a_c and w_c are
 * the largest magnitudes of the channel and of its weights. `range` widens or narrows the observed range: the context
 * that leaves attention varies more than captions show, and GELU's few largest values are better cut off.
 * Values chosen by mean and worst cosine against fp32; docs/adr/0006-the-model-compiler.md has the table.
 */
const POLICY: Record<Product, { alpha: number | undefined; range: number }> = {
  qkv: { alpha: 0.65, range: 1 },
  attentionOutput: { alpha: undefined, range: 1.2 },
  intermediate: { alpha: 0.65, range: 1 },
  output: { alpha: 0.7, range: 0.8 },
};

const STEPS_PER_OCTAVE = 8;

/** As it is kept in a source file: low, high, and the smoothing's bytes as base64 ("" for none). */
export type PackedCalibration = Readonly<
  Record<Site, readonly [low: number, high: number, smoothing: string]>
>;

export function decodeCalibration(packed: PackedCalibration): Calibration {
  return new Map(
    Object.entries(packed).map(([site, [low, high, smoothing]]) => [
      site as Site,
      {
        low,
        high,
        smoothing: smoothing === "" ? undefined : new Int8Array(Buffer.from(smoothing, "base64")),
      },
    ]),
  );
}

/** The divisors that a calibration's `smoothing` stands for. */
export function smoothingDivisors(smoothing: Int8Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(smoothing, (step) => 2 ** (step / STEPS_PER_OCTAVE));
}

function chooseSmoothing(linear: Linear, range: ChannelRange, alpha: number): Int8Array<ArrayBuffer> {
  const smoothing = new Int8Array(linear.inputs);
  for (let channel = 0; channel < linear.inputs; channel++) {
    const row = linear.weight.subarray(channel * linear.outputs, (channel + 1) * linear.outputs);
    const weight = row.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-8);
    const activation = Math.max(range.high[channel] as number, -(range.low[channel] as number), 1e-6);
    const steps = Math.round(STEPS_PER_OCTAVE * Math.log2(activation ** alpha / weight ** (1 - alpha)));
    smoothing[channel] = Math.max(-127, Math.min(127, steps));
  }
  return smoothing;
}

/** Chooses smoothing and range for every product from what was observed. */
export function calibrate(weights: BertWeights, observed: ReadonlyMap<Site, ChannelRange>): Calibration {
  const calibration = new Map<Site, SiteCalibration>();
  for (const [layer, layerWeights] of weights.layers.entries()) {
    for (const product of PRODUCTS) {
      const site: Site = `${layer}.${product}`;
      const range = observed.get(site);
      if (range === undefined) throw new RangeError(`no activations were observed for ${site}`);
      const { alpha, range: factor } = POLICY[product];
      const smoothing =
        alpha === undefined ? undefined : chooseSmoothing(layerWeights[product], range, alpha);
      const divisors = smoothing && smoothingDivisors(smoothing);
      const over = (values: Float32Array, pick: (...values: number[]) => number) =>
        factor * values.reduce((best, value, channel) => pick(best, value / (divisors?.[channel] ?? 1)), 0);
      calibration.set(site, {
        low: over(range.low, Math.min),
        high: over(range.high, Math.max),
        smoothing,
      });
    }
  }
  return calibration;
}
