/** One of the nearest. */
export interface Neighbour {
  path: string;
  /** Larger is nearer: inner product, or the negative square of the L2 distance. */
  score: number;
}

export type ExactMetric = "inner-product" | "l2";

/** Beyond the k nearest: so that one can tell whether another one is as near as the last of them. */
const KEPT_PER_K = 3;
const KEPT_MORE = 10;
/** float32 sums in another order differ by about so much of the score. */
const TOLERANCE = 1e-5;

/**
 * The nearest images of each query, exactly, over any number of vectors that are offered one after the other. Images count once, by
 * their nearest vector. Memory: some thirty images a query.
 */
export class ExactNeighbours {
  readonly #queries: readonly Float32Array[];
  readonly #metric: ExactMetric;
  readonly #k: number;
  readonly #kept: number;
  readonly #nearest: Neighbour[][];

  constructor(queries: readonly Float32Array[], options: { k: number; metric: ExactMetric }) {
    this.#queries = queries;
    this.#metric = options.metric;
    this.#k = options.k;
    this.#kept = KEPT_PER_K * options.k + KEPT_MORE;
    this.#nearest = queries.map(() => []);
  }

  offer(path: string, vector: Float32Array): void {
    for (const [i, query] of this.#queries.entries()) {
      const nearest = this.#nearest[i] as Neighbour[];
      const score = scoreOf(this.#metric, query, vector);
      const last = nearest.at(-1);
      if (nearest.length >= this.#kept && last && score <= last.score) continue;
      const earlier = nearest.findIndex((one) => one.path === path);
      if (earlier >= 0) {
        if ((nearest[earlier] as Neighbour).score >= score) continue;
        nearest.splice(earlier, 1);
      }
      const place = nearest.findIndex((one) => one.score < score);
      nearest.splice(place < 0 ? nearest.length : place, 0, { path, score });
      if (nearest.length > this.#kept) nearest.pop();
    }
  }

  /**
   * The share of a query's k nearest images that are among these, 0 to 1. One that is as near as the k-th counts as one of them: of equal
   * ones nobody can say which come first.
   */
  overlap(query: number, paths: readonly string[]): number {
    const nearest = this.#nearest[query] ?? [];
    const wanted = Math.min(this.#k, nearest.length);
    if (wanted === 0) return 1;
    const last = (nearest[wanted - 1] as Neighbour).score;
    const limit = last - TOLERANCE * Math.max(1, Math.abs(last));
    const near = new Set(nearest.filter(({ score }) => score >= limit).map(({ path }) => path));
    const found = new Set(paths.slice(0, this.#k).filter((path) => near.has(path)));
    return Math.min(found.size, wanted) / wanted;
  }
}

function scoreOf(metric: ExactMetric, query: Float32Array, vector: Float32Array): number {
  let sum = 0;
  if (metric === "l2") {
    for (let i = 0; i < query.length; i++) sum -= ((query[i] as number) - (vector[i] as number)) ** 2;
    return sum;
  }
  for (let i = 0; i < query.length; i++) sum += (query[i] as number) * (vector[i] as number);
  return sum;
}
