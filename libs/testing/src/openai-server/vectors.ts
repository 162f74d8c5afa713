import { createHash } from "node:crypto";

/**
 * The vector of a text: length 1, the same for ever, and different for different texts. Fewer dimensions than the model has are the first
 * of them, scaled to length 1 again, as models with Matryoshka embeddings do it.
 */
export function vectorOf(text: string, modelDimensions: number, dimensions = modelDimensions): Float32Array {
  const next = randomNumbers(text);
  const full = Array.from({ length: modelDimensions }, () => next() * 2 - 1);
  const cut = full.slice(0, dimensions);
  const length = Math.hypot(...cut) || 1;
  return Float32Array.from(cut, (value) => value / length);
}

/** Tokens of a text, made up: four bytes each, as English has them, one at least. */
export function countTokens(text: string): number {
  return Math.max(1, Math.ceil(Buffer.byteLength(text) / 4));
}

/** Numbers from 0 to 1 that follow from the text: mulberry32, started with its hash. */
function randomNumbers(text: string): () => number {
  let state = createHash("sha256").update(text).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
