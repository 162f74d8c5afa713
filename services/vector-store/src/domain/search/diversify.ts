import type { Metric } from "../collection.ts";
import { similarityOf } from "../collection.ts";
import { floatsOf } from "./query-vector.ts";
import type { RankedHit } from "./find-nearest.ts";

/**
 * Maximal marginal relevance: hits are taken one by one, each the one with the largest lambda * similarity to the query -
 * (1 - lambda) * largest similarity to a hit taken before (Carbonell and Goldstein, SIGIR 1998). Both similarities are those of
 * the search's metric.
 * @param hits by descending similarity, with their vectors
 * @returns at most `count`, in the order in which they were taken
 */
export function diversify(
  hits: readonly RankedHit[],
  options: { lambda: number; count: number; metric: Metric; dimensions: number },
): RankedHit[] {
  const { lambda, metric, dimensions } = options;
  const between = similarityBetween(metric, dimensions);
  const left = hits.map((hit) => ({ hit, vector: hit.vector as Uint8Array, closest: -Infinity }));
  const decoded = new Map(
    left.map((entry) => [
      entry,
      metric === "hamming" || metric === "jaccard" ? entry.vector : floatsOf(entry.vector),
    ]),
  );
  const taken: RankedHit[] = [];
  while (taken.length < options.count && left.length > 0) {
    let best = 0;
    let bestScore = -Infinity;
    for (const [i, { hit, closest }] of left.entries()) {
      const score = lambda * hit.similarity - (taken.length === 0 ? 0 : (1 - lambda) * closest);
      if (score > bestScore) {
        best = i;
        bestScore = score;
      }
    }
    const [chosen] = left.splice(best, 1) as [(typeof left)[number]];
    taken.push(chosen.hit);
    for (const entry of left) {
      entry.closest = Math.max(entry.closest, between(decoded.get(entry)!, decoded.get(chosen)!));
    }
  }
  return taken;
}

type Values = Float32Array | Uint8Array;

function similarityBetween(metric: Metric, dimensions: number): (a: Values, b: Values) => number {
  const distance = DISTANCES[metric];
  return (a, b) => similarityOf(metric, distance(a, b), dimensions);
}

const sum = (a: Values, b: Values, term: (x: number, y: number) => number): number => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += term(a[i] as number, b[i] as number);
  return total;
};
const dot = (a: Values, b: Values): number => sum(a, b, (x, y) => x * y);
const bitsOf = (byte: number): number => {
  let count = 0;
  for (let rest = byte; rest > 0; rest &= rest - 1) count++;
  return count;
};

/** As pgvector defines them. */
const DISTANCES: Record<Metric, (a: Values, b: Values) => number> = {
  // A zero vector, which other ways than this service may have stored, is like nothing.
  cosine: (a, b) => 1 - dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || Infinity),
  l2: (a, b) => Math.sqrt(sum(a, b, (x, y) => (x - y) ** 2)),
  "inner-product": (a, b) => -dot(a, b),
  l1: (a, b) => sum(a, b, (x, y) => Math.abs(x - y)),
  hamming: (a, b) => sum(a, b, (x, y) => bitsOf(x ^ y)),
  jaccard: (a, b) => {
    const either = sum(a, b, (x, y) => bitsOf(x | y));
    return either === 0 ? 1 : 1 - sum(a, b, (x, y) => bitsOf(x & y)) / either;
  },
};
