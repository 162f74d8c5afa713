import type { ModelCacheStore } from "../../domain/model-cache.ts";
import { toEntryMessage } from "./messages.ts";

export function listModelCacheRpc(deps: { modelCache: ModelCacheStore }) {
  return async () => ({ entries: (await deps.modelCache.list()).map(toEntryMessage) });
}
