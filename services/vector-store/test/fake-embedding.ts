import { createHash } from "node:crypto";
import { packVectors } from "@kindred/rpc";
import type { EmbeddingSpace } from "../src/domain/embedding-space.ts";
import type { EmbeddingPort, EmbedOptions } from "../src/domain/ports.ts";
import { spaceMismatch } from "../src/domain/embedding-space.ts";

export const DIMENSIONS = 384;

export const SPACE: EmbeddingSpace = {
  id: `fake:words@1:${DIMENSIONS}:sum:l2:256`,
  provider: "fake",
  model: "words",
  revision: "1",
  dimensions: DIMENSIONS,
  pooling: "sum",
  normalization: "l2",
  maxTokens: 256,
};

/** Texts that share words have vectors that are near each other; everything about it is deterministic. */
export interface FakeEmbedding extends EmbeddingPort {
  /** The texts of each call so far. */
  readonly calls: (readonly string[])[];
  /** Runs before each call is answered; what it throws is the call's error. */
  before: (texts: readonly string[], options: EmbedOptions) => Promise<void>;
  space: EmbeddingSpace;
  reset(): void;
}

export function fakeEmbedding(): FakeEmbedding {
  const fake: FakeEmbedding = {
    calls: [],
    before: async () => {},
    space: SPACE,
    reset() {
      fake.calls.length = 0;
      fake.before = async () => {};
      fake.space = SPACE;
    },
    async embed(texts, options) {
      fake.calls.push(texts);
      await fake.before(texts, options);
      options.signal?.throwIfAborted();
      if (options.expectedSpaceId !== undefined && options.expectedSpaceId !== fake.space.id) {
        throw spaceMismatch(options.expectedSpaceId, fake.space.id);
      }
      const vectors = new Float32Array(texts.length * DIMENSIONS);
      for (const [i, text] of texts.entries()) vectors.set(wordVector(text), i * DIMENSIONS);
      return { vectors: packVectors(vectors), space: fake.space };
    },
    servedSpace: async () => fake.space,
  };
  return fake;
}

const WORDS = new Map<string, Float32Array>();

function vectorOfWord(word: string): Float32Array {
  let vector = WORDS.get(word);
  if (!vector) {
    vector = new Float32Array(DIMENSIONS);
    const bytes = Buffer.concat(
      Array.from({ length: DIMENSIONS / 32 }, (_, i) => createHash("sha256").update(`${i} ${word}`).digest()),
    );
    for (let i = 0; i < DIMENSIONS; i++) vector[i] = ((bytes[i] as number) - 127.5) / 127.5;
    WORDS.set(word, vector);
  }
  return vector;
}

/** The sum of the words' vectors at unit length. */
export function wordVector(text: string): Float32Array {
  const sum = new Float32Array(DIMENSIONS);
  for (const word of text.toLowerCase().split(/\W+/)) {
    const vector = vectorOfWord(word);
    for (let i = 0; i < DIMENSIONS; i++) sum[i] = (sum[i] as number) + (vector[i] as number);
  }
  const norm = Math.hypot(...sum);
  return sum.map((value) => value / norm);
}
