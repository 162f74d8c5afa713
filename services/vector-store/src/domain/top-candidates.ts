/** A row by its place in the order that decides between rows of equal distance. */
export interface Candidate {
  distance: number;
  rank: number;
}

/**
 * PostgreSQL's order of float8, by which NaN comes behind everything and equals itself, and then by rank. Negative when `a`
 * comes first.
 */
export function compareCandidates(a: Candidate, b: Candidate): number {
  if (a.distance < b.distance) return -1;
  if (a.distance > b.distance) return 1;
  const order = Number(Number.isNaN(a.distance)) - Number(Number.isNaN(b.distance));
  return order === 0 ? a.rank - b.rank : order;
}

/**
 * The nearest `limit` rows of all that were offered, in whatever order. No rank may be offered twice. A binary heap with the worst
 * row on top: memory grows with what it holds, and a row that is not among the nearest costs one comparison.
 */
export class TopCandidates {
  readonly #limit: number;
  readonly #heap: Candidate[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Offers the rows from `first` up to `end`: distances by their place, ranks counted from `firstRank` at `first`. */
  offer(distances: Float64Array, first: number, end: number, firstRank: number): void {
    for (let row = first; row < end; row++)
      this.offerOne(distances[row] as number, firstRank + (row - first));
  }

  offerOne(distance: number, rank: number): void {
    const worst = this.#heap[0];
    if (this.#heap.length < this.#limit) {
      this.#heap.push({ distance, rank });
      this.#raise(this.#heap.length - 1);
    } else if (worst !== undefined && !(distance > worst.distance)) {
      const candidate = { distance, rank };
      if (compareCandidates(candidate, worst) < 0) {
        this.#heap[0] = candidate;
        this.#lower();
      }
    }
  }

  /** Nearest first. */
  ascending(): Candidate[] {
    return this.#heap.toSorted(compareCandidates);
  }

  #raise(from: number): void {
    const heap = this.#heap;
    const moving = heap[from] as Candidate;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (compareCandidates(heap[parent] as Candidate, moving) >= 0) break;
      heap[at] = heap[parent] as Candidate;
      at = parent;
    }
    heap[at] = moving;
  }

  #lower(): void {
    const heap = this.#heap;
    const moving = heap[0] as Candidate;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && compareCandidates(heap[right] as Candidate, heap[child] as Candidate) > 0)
        child = right;
      if (compareCandidates(heap[child] as Candidate, moving) <= 0) break;
      heap[at] = heap[child] as Candidate;
      at = child;
    }
    heap[at] = moving;
  }
}
