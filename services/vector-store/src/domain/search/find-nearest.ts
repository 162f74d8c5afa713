import { similarityOf } from "../collection.ts";
import type { IndexScan, ItemHit, ItemQuery, ItemScan, ItemSearch, NearestItems } from "../item-ports.ts";
import type { CallLimits } from "../ports.ts";
import { nextCandidateLimit } from "./search-plan.ts";

export interface RankedHit extends ItemHit {
  similarity: number;
}

/** What one way of searching found. */
export interface Found {
  /** By descending similarity. */
  hits: RankedHit[];
  /** How it was found at last. */
  scan: ItemScan;
  /** Whether an index gave too few, and every candidate was compared instead. */
  fallback: boolean;
  /** Whether there are as many hits as there can be. */
  complete: boolean;
  rowsScanned: number | undefined;
}

/**
 * The nearest hits, or groups. A scan of an index that comes out short is widened, and at last every candidate is compared: a
 * filtered search never silently returns too few.
 */
export async function findNearest(
  search: Pick<ItemSearch, "nearest">,
  first: ItemQuery,
  threshold: number | undefined,
  left: () => CallLimits,
): Promise<Found> {
  let query = first;
  for (;;) {
    const { scan, candidateLimit } = query;
    const nearest = await search.nearest(query, left());
    const hits = rank(query, nearest.hits, threshold);
    const done = { hits, scan, rowsScanned: nearest.rowsScanned };
    const enough = isEnough(query, nearest);
    if (scan.method === "exact") {
      // Fewer candidates than asked for: there are no more rows.
      if (enough || nearest.candidates < candidateLimit) {
        return { ...done, fallback: first.scan.method !== "exact", complete: true };
      }
    } else if (enough || hits.length < nearest.hits.length) {
      // When the farthest hits are below the threshold already, farther ones are too.
      return { ...done, fallback: false, complete: true };
    } else if (nearest.candidates < candidateLimit || candidateLimit >= mostCandidates(scan)) {
      query = { ...query, scan: { method: "exact" } };
      continue;
    }
    query = { ...query, candidateLimit: nextCandidateLimit(candidateLimit) };
  }
}

const MEMBER_EFFORT = 8;

/** Beyond this a scan of the index is more work than comparing every row. */
function mostCandidates(scan: IndexScan): number {
  return scan.method === "hnsw" ? scan.maxScanTuples : Infinity;
}

/**
 * Whether there are k hits; or k groups with all the members they may have, as far as the effort goes: an index scan looks for
 * members among so many times the hits that are wanted, an exact one among all items. Items that lack the field are one group.
 */
function isEnough({ group, k, scan, candidateLimit }: ItemQuery, { hits }: NearestItems): boolean {
  if (!group) return hits.length >= k;
  const members = new Map<unknown, number>();
  for (const hit of hits) members.set(hit.group, (members.get(hit.group) ?? 0) + 1);
  if (members.size < k) return false;
  if (scan.method !== "exact" && candidateLimit >= MEMBER_EFFORT * k * group.size) return true;
  return [...members.values()].every((count) => count >= group.size);
}

export function rank(
  { metric, collection }: Pick<ItemQuery, "metric" | "collection">,
  hits: readonly ItemHit[],
  threshold: number | undefined,
): RankedHit[] {
  const ranked = hits.map((hit) => ({
    ...hit,
    similarity: similarityOf(metric, hit.distance, collection.dimensions),
  }));
  // Zero vectors that came by other ways than this service have no cosine; they sort last.
  const comparable = ranked.filter((hit) => !Number.isNaN(hit.similarity));
  return threshold === undefined ? comparable : comparable.filter((hit) => hit.similarity >= threshold);
}
