import { Breather } from "../breathe.ts";
import { similarityOf, type Metric } from "../collection.ts";
import { distanceFrom, squaredNorms } from "../exact-distance.ts";
import { unpackFloats } from "../packed-vector.ts";
import type { RankedHit } from "./find-nearest.ts";

/** Distances from one hit to so many others are computed in one go, and others wait for that. */
const BLOCK_ROWS = 500;

/**
 * Maximal marginal relevance: hits are taken one by one, each the one with the largest lambda * similarity to the query -
 * (1 - lambda) * largest similarity to a hit taken before (Carbonell and Goldstein, SIGIR 1998). Both similarities are those of
 * the search's metric. Compares every hit with every one that is taken; others go on meanwhile.
 * @param hits by descending similarity, with their vectors
 * @returns at most `count`, in the order in which they were taken
 * @throws the signal's reason
 */
export async function diversify(
  hits: readonly RankedHit[],
  options: { lambda: number; count: number; metric: Metric; dimensions: number },
  signal?: AbortSignal,
): Promise<RankedHit[]> {
  const { lambda, count, metric, dimensions } = options;
  const distancesFrom = distancesBetween(hits, metric, dimensions);
  const breather = new Breather(signal);
  const left = new Set(hits.keys());
  const closest = new Float64Array(hits.length).fill(-Infinity);
  const distances = new Float64Array(BLOCK_ROWS);
  const taken: RankedHit[] = [];
  while (taken.length < count && left.size > 0) {
    let best = -1;
    let bestScore = -Infinity;
    for (const i of left) {
      const { similarity } = hits[i] as RankedHit;
      const score = lambda * similarity - (taken.length === 0 ? 0 : (1 - lambda) * (closest[i] as number));
      if (best === -1 || score > bestScore) {
        best = i;
        bestScore = score;
      }
    }
    left.delete(best);
    taken.push(hits[best] as RankedHit);
    for (let first = 0; first < hits.length; first += BLOCK_ROWS) {
      const end = Math.min(hits.length, first + BLOCK_ROWS);
      distancesFrom(best, first, end, distances);
      for (let i = first; i < end; i++) {
        const similarity = similarityOf(metric, distances[i - first] as number, dimensions);
        closest[i] = Math.max(closest[i] as number, similarity);
      }
      const pause = breather.step();
      if (pause) await pause;
    }
  }
  return taken;
}

/** Writes the distances from one hit to those from `first` up to, not including, `end`. */
type DistancesFrom = (hit: number, first: number, end: number, distances: Float64Array) => void;

function distancesBetween(hits: readonly RankedHit[], metric: Metric, dimensions: number): DistancesFrom {
  const vectors = hits.map(({ vector }) => vector as Uint8Array);
  if (metric === "hamming" || metric === "jaccard") {
    const distance = BIT_DISTANCES[metric];
    return (hit, first, end, distances) => {
      const from = vectors[hit] as Uint8Array;
      for (let i = first; i < end; i++) distances[i - first] = distance(from, vectors[i] as Uint8Array);
    };
  }
  const values = new Float32Array(hits.length * dimensions);
  for (const [i, vector] of vectors.entries()) values.set(unpackFloats(vector), i * dimensions);
  const norms = new Float32Array(hits.length);
  squaredNorms(values, dimensions, { first: 0, end: hits.length }, norms);
  const rows = { values, norms, count: hits.length };
  return (hit, first, end, distances) => {
    const from = values.subarray(hit * dimensions, (hit + 1) * dimensions);
    distanceFrom(from, metric)(rows, first, end, distances);
  };
}

type Bits = Uint8Array;

/** How many bits are set in what the term makes of each pair of bytes. */
function countBits(a: Bits, b: Bits, term: (x: number, y: number) => number): number {
  let count = 0;
  for (let i = 0; i < a.length; i++)
    for (let rest = term(a[i] as number, b[i] as number); rest > 0; rest &= rest - 1) count++;
  return count;
}

/** As pgvector defines them. */
const BIT_DISTANCES: Record<"hamming" | "jaccard", (a: Bits, b: Bits) => number> = {
  hamming: (a, b) => countBits(a, b, (x, y) => x ^ y),
  jaccard: (a, b) => {
    const either = countBits(a, b, (x, y) => x | y);
    return either === 0 ? 1 : 1 - countBits(a, b, (x, y) => x & y) / either;
  },
};
