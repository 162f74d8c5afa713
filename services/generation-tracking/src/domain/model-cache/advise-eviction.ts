import type { ModelCacheEntry } from "../model-cache.ts";

export interface EvictionRequest {
  /** What the models may take, not negative. */
  budgetBytes: bigint;
  /** undefined: of every type. */
  modelType: string | undefined;
  /** Entries that were used at or after this time are spared; undefined: none is. */
  keepUsedSinceMicros: bigint | undefined;
}

export interface EvictionAdvice {
  /** The least recently used first; those that never were before all others. */
  evict: ModelCacheEntry[];
  totalBytes: bigint;
  evictedBytes: bigint;
  /** Entries of which nobody knows what they take. */
  unknownSizes: bigint;
  /** Whether the others fit into the budget. */
  fits: boolean;
}

const BYTES_PER_MIB = 2 ** 20;

/**
 * Which models to delete so that the others fit into a budget: the shortest row of the least recently used ones that suffices, without
 * those that take nothing. A model whose path was found missing, and that was not used since, takes nothing.
 */
export function adviseEviction(
  entries: readonly ModelCacheEntry[],
  request: EvictionRequest,
): EvictionAdvice {
  const { budgetBytes, modelType, keepUsedSinceMicros } = request;
  const asked = entries.filter((entry) => modelType === undefined || entry.modelType === modelType);
  const sized = asked.flatMap((entry) => {
    const bytes = bytesOf(entry);
    return bytes === undefined ? [] : [{ entry, bytes }];
  });
  const totalBytes = sized.reduce((sum, { bytes }) => sum + bytes, 0n);
  const evict: ModelCacheEntry[] = [];
  let evictedBytes = 0n;
  for (const { entry, bytes } of sized.toSorted((a, b) => compareUse(a.entry, b.entry))) {
    if (totalBytes - evictedBytes <= budgetBytes) break;
    if (bytes === 0n || isSpared(entry, keepUsedSinceMicros)) continue;
    evict.push(entry);
    evictedBytes += bytes;
  }
  return {
    evict,
    totalBytes,
    evictedBytes,
    unknownSizes: BigInt(asked.length - sized.length),
    fits: totalBytes - evictedBytes <= budgetBytes,
  };
}

function bytesOf(entry: ModelCacheEntry): bigint | undefined {
  const { present, verifiedAtMicros = 0n, lastAccessedMicros } = entry;
  if (present === false && (lastAccessedMicros === undefined || lastAccessedMicros <= verifiedAtMicros))
    return 0n;
  return entry.sizeMb === undefined ? undefined : BigInt(Math.round(entry.sizeMb * BYTES_PER_MIB));
}

function isSpared({ lastAccessedMicros }: ModelCacheEntry, since: bigint | undefined): boolean {
  return since !== undefined && lastAccessedMicros !== undefined && lastAccessedMicros >= since;
}

/** Never used ones first, then by their last use, then in the order in which they came. */
function compareUse(a: ModelCacheEntry, b: ModelCacheEntry): number {
  return compare(a.lastAccessedMicros ?? NEVER, b.lastAccessedMicros ?? NEVER) || compare(a.id, b.id);
}

/** Before every time of PostgreSQL. */
const NEVER = -(2n ** 63n);

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
