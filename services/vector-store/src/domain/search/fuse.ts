import type { KeyType } from "../layout.ts";
import { compareKeys } from "../key-order.ts";
import type { RankedHit } from "./find-nearest.ts";
import type { Hybrid } from "./search-query.ts";

export interface FusedHit extends RankedHit {
  fusedScore: number;
  /** From 1; undefined when the full-text search did not find it. */
  textRank: number | undefined;
}

/**
 * Joins two lists by reciprocal rank fusion: the score is the sum of weight / (rank constant + rank) over the lists that a hit is
 * in (Cormack, Clarke and Buettcher, SIGIR 2009). Equal scores are ordered by similarity, then by key.
 * @param nearest by descending similarity; those that only the full-text search found are not among them
 * @param matched the full-text search's, best first; several of one identity count once, by the best
 * @param identityOf what is one hit: an item, or its group
 */
export function fuse(
  nearest: readonly RankedHit[],
  matched: readonly RankedHit[],
  options: Pick<Hybrid, "rankConstant" | "textWeight"> & {
    keyType: KeyType;
    identityOf: (hit: RankedHit) => unknown;
  },
): FusedHit[] {
  const { rankConstant, textWeight, identityOf } = options;
  const best = new Map<unknown, RankedHit>();
  const ranks = [nearest, matched].map((list) => {
    const rankOf = new Map<unknown, number>();
    for (const hit of list) {
      const identity = identityOf(hit);
      if (!rankOf.has(identity)) rankOf.set(identity, rankOf.size + 1);
      const other = best.get(identity);
      if (!other || hit.similarity > other.similarity) best.set(identity, hit);
    }
    return rankOf;
  }) as [Map<unknown, number>, Map<unknown, number>];
  const share = (rank: number | undefined, weight: number): number =>
    rank === undefined ? 0 : weight / (rankConstant + rank);
  const order = compareKeys(options.keyType);
  return [...best]
    .map(([identity, hit]) => {
      const textRank = ranks[1].get(identity);
      return { ...hit, textRank, fusedScore: share(ranks[0].get(identity), 1) + share(textRank, textWeight) };
    })
    .toSorted((a, b) => b.fusedScore - a.fusedScore || b.similarity - a.similarity || order(a.key, b.key));
}
