import type { Collection } from "../collection.ts";
import type { PackedVector } from "../packed-vector.ts";

/** Hears of what people search for, to measure recall with it later. */
export interface RecentQueries {
  /** Costs next to nothing, and never fails. @param vector of the collection's space; copied where it is kept */
  note(collection: Collection, vector: PackedVector): void;
}

/** A query that somebody asked. */
export interface NotedQuery {
  collection: string;
  /** Another collection may have taken its name since. */
  createdAt: Date;
  spaceId: string | undefined;
  vector: PackedVector;
}

/** Of one collection between two times that they are taken. */
const KEPT_OF_COLLECTION = 50;
const MAX_COLLECTIONS = 200;

/**
 * A fair sample of the queries of each collection since the last one was taken: each query has the same chance to be in it, however
 * many there were (Vitter, "Random sampling with a reservoir", 1985, algorithm R).
 */
export class QueryReservoir implements RecentQueries {
  readonly #random: () => number;
  #samples = new Map<string, { seen: number; queries: NotedQuery[] }>();

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  note(
    { name, space, createdAt }: Pick<Collection, "name" | "space" | "createdAt">,
    vector: PackedVector,
  ): void {
    let sample = this.#samples.get(name);
    if (!sample) {
      if (this.#samples.size >= MAX_COLLECTIONS) return;
      sample = { seen: 0, queries: [] };
      this.#samples.set(name, sample);
    }
    const place =
      sample.seen < KEPT_OF_COLLECTION ? sample.seen : Math.floor(this.#random() * (sample.seen + 1));
    sample.seen++;
    if (place >= KEPT_OF_COLLECTION) return;
    // It is a view of the call's whole message.
    sample.queries[place] = { collection: name, createdAt, spaceId: space?.id, vector: vector.slice() };
  }

  /** What was noted since the last time; it begins anew. */
  take(): NotedQuery[] {
    const taken = [...this.#samples.values()].flatMap(({ queries }) => queries);
    this.#samples = new Map();
    return taken;
  }
}
