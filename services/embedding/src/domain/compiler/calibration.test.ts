import { expect, test } from "@jest/globals";
import type { BertLayer, BertWeights, Linear } from "./bert.ts";
import { calibrate, PRODUCTS, type ChannelRange, type Site } from "./calibration.ts";

const linear = (inputs: number, fill: number): Linear => ({
  inputs,
  outputs: 1,
  weight: new Float32Array(inputs).fill(fill),
  bias: new Float32Array(1),
});

function oneLayer(inputs: number): BertWeights {
  const norm = { gamma: new Float32Array(1), beta: new Float32Array(1) };
  const layer: BertLayer = {
    qkv: linear(inputs, 1),
    attentionOutput: linear(inputs, 1),
    attentionNorm: norm,
    intermediate: linear(inputs, 1),
    output: linear(inputs, 1),
    outputNorm: norm,
  };
  return {
    wordEmbeddings: new Float32Array(0),
    positionEmbeddings: new Float32Array(0),
    embeddingNorm: norm,
    layers: [layer],
  };
}

const observe = (range: ChannelRange) => new Map(PRODUCTS.map((product) => [`0.${product}` as Site, range]));

test("smoothing takes the range of a loud channel down to that of the others", () => {
  const range = { low: Float32Array.of(-1, -64, 0), high: Float32Array.of(1, 32, 1) };
  const site = calibrate(oneLayer(3), observe(range)).get("0.intermediate");
  expect([...(site?.divisors ?? [])]).toEqual([1, 8, 1]);
  expect(site).toMatchObject({ low: -1, high: 1, tokenScale: "magnitude" });
});

test("attention's input has one range, in which no channel is larger than the median one was", () => {
  const range = { low: Float32Array.of(-1, -64, 0), high: Float32Array.of(2, 32, 0.5) };
  const site = calibrate(oneLayer(3), observe(range)).get("0.qkv");
  expect([...(site?.divisors ?? [])]).toEqual([1, 32, 1]);
  expect(site).toMatchObject({ low: -2, high: 2, tokenScale: undefined });
});

test("the context that leaves attention is scaled by each token's largest magnitude, and not smoothed", () => {
  const range = { low: Float32Array.of(-2), high: Float32Array.of(3) };
  const site = calibrate(oneLayer(1), observe(range)).get("0.attentionOutput");
  expect(site).toEqual({ low: -1, high: 1, divisors: undefined, tokenScale: "magnitude" });
});

test("what GELU gives is scaled by each token's peak, with room for its small negative values", () => {
  const range = { low: Float32Array.of(-0.17), high: Float32Array.of(24) };
  const site = calibrate(oneLayer(1), observe(range)).get("0.output");
  expect(site).toMatchObject({ high: 1, divisors: undefined, tokenScale: "peak" });
  // At the least scale of 0.7, -0.17 is still in range.
  expect((site?.low ?? 0) * 0.7).toBeCloseTo(-0.17, 6);
});

test("a product that was not observed is an error", () => {
  expect(() => calibrate(oneLayer(1), new Map())).toThrow("no activations were observed for 0.qkv");
});
