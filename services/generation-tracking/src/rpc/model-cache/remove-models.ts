import type { RemoveModelsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { ModelCacheStore } from "../../domain/model-cache.ts";

const MAX_IDS = 1000;

export function removeModelsRpc(deps: { modelCache: ModelCacheStore }) {
  return async ({ ids }: RemoveModelsRequest) => {
    const checks = startChecks();
    checks.ids("ids", ids, { max: MAX_IDS });
    checks.throwIfAny();
    return { removed: BigInt(await deps.modelCache.remove(ids)) };
  };
}
