import type { AdviseEvictionRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { adviseEviction } from "../../domain/model-cache/advise-eviction.ts";
import type { ModelCacheStore } from "../../domain/model-cache.ts";
import { microsOf } from "../timestamps.ts";
import { MAX_TYPE_CHARACTERS, toEntryMessage } from "./messages.ts";

export function adviseEvictionRpc(deps: { modelCache: Pick<ModelCacheStore, "list"> }) {
  return async ({ budgetBytes, modelType, keepUsedSince }: AdviseEvictionRequest) => {
    const checks = startChecks();
    if (budgetBytes < 0n) checks.add("budget_bytes", `must not be negative, is ${budgetBytes}`);
    checks.text("model_type", modelType, { maxCharacters: MAX_TYPE_CHARACTERS });
    checks.time("keep_used_since", keepUsedSince);
    checks.throwIfAny();
    const advice = adviseEviction(await deps.modelCache.list(), {
      budgetBytes,
      modelType: modelType || undefined,
      keepUsedSinceMicros: keepUsedSince && microsOf(keepUsedSince),
    });
    return { ...advice, evict: advice.evict.map(toEntryMessage) };
  };
}
