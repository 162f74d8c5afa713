import { LRUCache } from "lru-cache";
import type { CachedVector, VectorCache } from "../domain/vector-cache.ts";

/** What an entry takes besides its vector: key, objects, and its place in the cache's lists. Measured: some 400 bytes. */
const ENTRY_BYTES = 400;

export interface RecentVectors extends VectorCache {
  /** Entries and their memory in bytes, estimated. */
  readonly size: { entries: number; bytes: number };
}

/** The most recently used vectors, in about so many bytes; 0 keeps none. */
export function recentVectors(maxBytes: number): RecentVectors {
  if (maxBytes === 0) {
    return { get: () => undefined, set: () => undefined, size: { entries: 0, bytes: 0 } };
  }
  const cache = new LRUCache<string, CachedVector>({
    maxSize: maxBytes,
    sizeCalculation: ({ vector }) => vector.byteLength + ENTRY_BYTES,
  });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => void cache.set(key, value),
    get size() {
      return { entries: cache.size, bytes: cache.calculatedSize };
    },
  };
}
