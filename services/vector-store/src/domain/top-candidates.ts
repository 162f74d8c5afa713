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

  /** How many are held. */
  get size(): number {
    return this.#heap.length;
  }

  /** Offers rows whose ranks follow each other, by the first `count` of the distances. `accepted` hears of those that are held now. */
  offer(
    distances: Float64Array,
    count: number,
    firstRank: number,
    accepted?: (row: number, rank: number) => void,
  ): void {
    for (let row = 0; row < count; row++) {
      if (this.offerOne(distances[row] as number, firstRank + row)) accepted?.(row, firstRank + row);
    }
  }

  /** @returns whether it is among the nearest so far */
  offerOne(distance: number, rank: number): boolean {
    const worst = this.#heap[0];
    if (this.#heap.length < this.#limit) {
      this.#heap.push({ distance, rank });
      this.#raise(this.#heap.length - 1);
      return true;
    }
    if (worst === undefined || distance > worst.distance) return false;
    const candidate = { distance, rank };
    if (compareCandidates(candidate, worst) >= 0) return false;
    this.#heap[0] = candidate;
    this.#lower();
    return true;
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
