import type { BertWeights, Linear } from "./bert.ts";

/** The matrix products of a layer, each with an input of its own. */
export const PRODUCTS = ["qkv", "attentionOutput", "intermediate", "output"] as const;
export type Product = (typeof PRODUCTS)[number];

/** "<layer>.<product>" */
export type Site = `${number}.${Product}`;

/**
 * What each token's values are divided by before they are quantised, and its product multiplied by after: "magnitude" its largest
 * absolute value, "peak" its largest value, for inputs that are hardly ever negative. It depends on nothing but the token.
 */
export type TokenScale = "magnitude" | "peak";

/** How the input of one product is quantised to 8 bits. */
export interface SiteCalibration {
  /** Range that the 8 bits span, after smoothing; with a token scale, as parts of it. */
  readonly low: number;
  readonly high: number;
  /**
   * Divisor of each input channel; the weights are multiplied by it, so that a few large channels do not take the range from all
   * others. Undefined where channels stay as they are.
   */
  readonly divisors: Float32Array<ArrayBuffer> | undefined;
  /** Undefined where one range holds for all tokens. */
  readonly tokenScale: TokenScale | undefined;
}

export type Calibration = ReadonlyMap<Site, SiteCalibration>;

/** Smallest and largest value of each input channel of a product, over the calibration texts. */
export interface ChannelRange {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

/**
 * How a channel's divisor is chosen. `alpha`: SmoothQuant (Xiao et al. 2022, arXiv:2211.10438), a_c^alpha / w_c^(1 - alpha), where a_c
 * and w_c are the largest magnitudes of the channel and of its weights. "level": channels above the median channel come down to it,
 * the others stay, which costs the weights less.
 */
type Smoothing = { readonly alpha: number } | "level" | undefined;

/**
 * Chosen by mean and worst cosine against fp32, product by product; docs/adr/0006-the-model-compiler.md has the table. Attention's own
 * input cannot have a scale for each token: its product goes through softmax inside of one operator.
 */
const POLICY: Record<Product, { smoothing: Smoothing; tokenScale: TokenScale | undefined }> = {
  qkv: { smoothing: "level", tokenScale: undefined },
  attentionOutput: { smoothing: undefined, tokenScale: "magnitude" },
  intermediate: { smoothing: { alpha: 0.5 }, tokenScale: "magnitude" },
  // GELU's largest channel reaches 25 where the median reaches 1.5, but only in few tokens: smoothing it would coarsen the weights.
  output: { smoothing: undefined, tokenScale: "peak" },
};

/** No token is divided by less: by a magnitude so that zeros stay zeros, by a peak so that what is negative stays in range. */
export const LEAST_TOKEN_SCALE: Record<TokenScale, number> = { magnitude: 1e-6, peak: 0.7 };

/** Largest magnitude of each channel. */
function magnitudes({ low, high }: ChannelRange): Float32Array<ArrayBuffer> {
  return Float32Array.from(high, (top, channel) => Math.max(top, -(low[channel] as number), 1e-6));
}

function chooseDivisors(
  linear: Linear,
  range: ChannelRange,
  smoothing: NonNullable<Smoothing>,
): Float32Array<ArrayBuffer> {
  const activations = magnitudes(range);
  const median = activations.toSorted()[Math.floor(activations.length / 2)] as number;
  return activations.map((activation, channel) => {
    if (smoothing === "level") return Math.max(1, activation / median);
    const row = linear.weight.subarray(channel * linear.outputs, (channel + 1) * linear.outputs);
    const weight = row.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-8);
    return activation ** smoothing.alpha / weight ** (1 - smoothing.alpha);
  });
}

/** The range of a product's input over all channels, as its calibration states it. */
function chooseRange(
  range: ChannelRange,
  divisors: Float32Array | undefined,
  tokenScale: TokenScale | undefined,
): { low: number; high: number } {
  if (tokenScale === "magnitude") return { low: -1, high: 1 };
  const over = (values: Float32Array, pick: (...values: number[]) => number) =>
    values.reduce((best, value, channel) => pick(best, value / (divisors?.[channel] ?? 1)), 0);
  const low = over(range.low, Math.min);
  if (tokenScale === "peak") return { low: low / LEAST_TOKEN_SCALE.peak, high: 1 };
  return { low, high: over(range.high, Math.max) };
}

/** Chooses smoothing and range for every product from what was observed. */
export function calibrate(weights: BertWeights, observed: ReadonlyMap<Site, ChannelRange>): Calibration {
  const calibration = new Map<Site, SiteCalibration>();
  for (const [layer, layerWeights] of weights.layers.entries()) {
    for (const product of PRODUCTS) {
      const site: Site = `${layer}.${product}`;
      const range = observed.get(site);
      if (range === undefined) throw new RangeError(`no activations were observed for ${site}`);
      const { smoothing, tokenScale } = POLICY[product];
      const divisors =
        smoothing === undefined ? undefined : chooseDivisors(layerWeights[product], range, smoothing);
      calibration.set(site, { ...chooseRange(range, divisors, tokenScale), divisors, tokenScale });
    }
  }
  return calibration;
}
