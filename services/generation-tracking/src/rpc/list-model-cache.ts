import type { ModelCacheStore } from "../domain/model-cache.ts";
import { timestampOf } from "./timestamps.ts";

export function listModelCacheRpc(deps: { modelCache: ModelCacheStore }) {
  return async () => {
    const entries = await deps.modelCache.list();
    return {
      entries: entries.map(({ sizeMb, lastAccessedMicros, createdAtMicros, ...entry }) => ({
        ...entry,
        ...(sizeMb === undefined ? {} : { sizeMb }),
        ...(lastAccessedMicros === undefined ? {} : { lastAccessed: timestampOf(lastAccessedMicros) }),
        createdAt: timestampOf(createdAtMicros),
      })),
    };
  };
}
