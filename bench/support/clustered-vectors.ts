import { randomNumbers } from "./texts.ts";

export interface ClusterOptions {
  readonly dimensions: number;
  readonly clusters: number;
  /** Directions in which a cluster's vectors differ: embeddings fill far fewer dimensions than they have. */
  readonly latentDimensions?: number;
  /** Length of a vector's difference from the centre of its cluster; centres have length 1. */
  readonly spread?: number;
  /** Length of what is added in all directions, as rounding does in real embeddings: searching becomes harder; 0 when absent. */
  readonly noise?: number;
  /** The same seed gives the same clusters. */
  readonly seed?: number;
}

/** Vectors of length 1 in clusters, like embeddings of texts on some hundred subjects; the same ones in every run. */
export interface VectorSource {
  readonly dimensions: number;
  /** The next vectors, row after row. */
  next(count: number): { vectors: Float32Array; clusters: Uint32Array };
}

function gaussians(seed: number): () => number {
  const random = randomNumbers(seed);
  let spare: number | undefined;
  // Box and Muller (1958).
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

function toUnitLength(values: Float32Array): void {
  let squares = 0;
  for (const value of values) squares += value * value;
  const norm = Math.sqrt(squares);
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / norm;
}

/** @param stream vectors of different streams of one seed are of the same clusters, and different. */
export function clusteredVectors(options: ClusterOptions, stream = 0): VectorSource {
  const { dimensions, clusters, latentDimensions = 24, spread = 0.8, noise = 0, seed = 1 } = options;
  const shape = gaussians(seed);
  const centres = Array.from({ length: clusters }, () => {
    const centre = Float32Array.from({ length: dimensions }, shape);
    toUnitLength(centre);
    return centre;
  });
  const scale = spread / Math.sqrt(latentDimensions * dimensions);
  const directions = Array.from({ length: latentDimensions }, () =>
    Float32Array.from({ length: dimensions }, () => shape() * scale),
  );
  const draw = gaussians(seed + 7919 * (stream + 1));
  const choose = randomNumbers(seed + 104_729 * (stream + 1));
  return {
    dimensions,
    next(count) {
      const vectors = new Float32Array(count * dimensions);
      const chosen = new Uint32Array(count);
      for (let row = 0; row < count; row++) {
        const cluster = Math.floor(choose() * clusters);
        chosen[row] = cluster;
        const vector = vectors.subarray(row * dimensions, (row + 1) * dimensions);
        vector.set(centres[cluster] as Float32Array);
        for (const direction of directions) {
          const amount = draw();
          for (let i = 0; i < dimensions; i++) {
            vector[i] = (vector[i] as number) + amount * (direction[i] as number);
          }
        }
        if (noise > 0) {
          const size = noise / Math.sqrt(dimensions);
          for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] as number) + size * draw();
        }
        toUnitLength(vector);
      }
      return { vectors, clusters: chosen };
    },
  };
}
