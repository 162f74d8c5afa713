import { createHash } from "node:crypto";
import { KindredError } from "@kindred/errors";
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

/** Another space of the same texts: other numbers, and, where it says so, more of them. */
export function otherSpace(dimensions = DIMENSIONS): EmbeddingSpace {
  const model = `other-words-${dimensions}`;
  return { ...SPACE, id: `fake:${model}@1:${dimensions}:sum:l2:256`, model, dimensions };
}

/** Texts that share words have vectors that are near each other; everything about it is deterministic. */
export interface FakeEmbedding extends EmbeddingPort {
  /** The texts of each call so far. */
  readonly calls: (readonly string[])[];
  /** Runs before each call is answered; what it throws is the call's error. */
  before: (texts: readonly string[], options: EmbedOptions) => Promise<void>;
  /** What texts are embedded into unless the caller expects one of the others. */
  space: EmbeddingSpace;
  /** Other spaces that are served. */
  others: EmbeddingSpace[];
  reset(): void;
}

export function fakeEmbedding(): FakeEmbedding {
  const fake: FakeEmbedding = {
    calls: [],
    before: async () => {},
    space: SPACE,
    others: [],
    reset() {
      fake.calls.length = 0;
      fake.before = async () => {};
      fake.space = SPACE;
      fake.others = [];
    },
    async embed(texts, options) {
      fake.calls.push(texts);
      await fake.before(texts, options);
      options.signal?.throwIfAborted();
      const expected = options.expectedSpaceId ?? fake.space.id;
      const space = served().find(({ id }) => id === expected);
      if (!space) throw spaceMismatch(expected, fake.space.id);
      const vectors = new Float32Array(texts.length * space.dimensions);
      for (const [i, text] of texts.entries()) vectors.set(vectorIn(space, text), i * space.dimensions);
      return { vectors: packVectors(vectors), space };
    },
    servedSpace: async () => fake.space,
    async spaceOf(wanted) {
      const space = served().find(({ id, model }) =>
        "model" in wanted ? model === wanted.model : id === wanted.spaceId,
      );
      if (space) return space;
      throw "model" in wanted
        ? new KindredError("not-found", `there is no model ${wanted.model}`)
        : new KindredError("failed-precondition", `nothing embeds into ${wanted.spaceId}`);
    },
  };
  const served = (): EmbeddingSpace[] => [fake.space, ...fake.others];
  return fake;
}

/** What the fake embeds a text into. */
export function vectorIn(space: EmbeddingSpace, text: string): Float32Array {
  return space.id === SPACE.id || space.model === SPACE.model
    ? wordVector(text)
    : wordVector(text, space.dimensions, `${space.model} `);
}

const WORDS = new Map<string, Float32Array>();

function vectorOfWord(word: string, dimensions: number): Float32Array {
  const known = `${dimensions} ${word}`;
  let vector = WORDS.get(known);
  if (!vector) {
    vector = new Float32Array(dimensions);
    const bytes = Buffer.concat(
      Array.from({ length: Math.ceil(dimensions / 32) }, (_, i) =>
        createHash("sha256").update(`${i} ${word}`).digest(),
      ),
    );
    for (let i = 0; i < dimensions; i++) vector[i] = ((bytes[i] as number) - 127.5) / 127.5;
    WORDS.set(known, vector);
  }
  return vector;
}

/** The sum of the words' vectors at unit length. */
export function wordVector(text: string, dimensions = DIMENSIONS, prefix = ""): Float32Array {
  const sum = new Float32Array(dimensions);
  for (const word of text.toLowerCase().split(/\W+/)) {
    const vector = vectorOfWord(prefix + word, dimensions);
    for (let i = 0; i < dimensions; i++) sum[i] = (sum[i] as number) + (vector[i] as number);
  }
  const norm = Math.hypot(...sum);
  return sum.map((value) => value / norm);
}
