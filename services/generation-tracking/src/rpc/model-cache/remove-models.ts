import type { RemoveModelsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { ModelCacheStore } from "../../domain/model-cache.ts";

const MAX_IDS = 1000;

export function removeModelsRpc(deps: { modelCache: ModelCacheStore }) {
  return async ({ ids }: RemoveModelsRequest) => {
    const checks = startChecks();
    if (ids.length < 1 || ids.length > MAX_IDS)
      checks.add("ids", `must be 1 to ${MAX_IDS}, are ${ids.length}`);
    else
      for (const [i, id] of ids.entries())
        if (id < 1n) checks.add(`ids[${i}]`, `must be at least 1, is ${id}`);
    checks.throwIfAny();
    return { removed: BigInt(await deps.modelCache.remove(ids)) };
  };
}
