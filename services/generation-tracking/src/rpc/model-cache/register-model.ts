import type { RegisterModelRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { ModelCacheStore } from "../../domain/model-cache.ts";
import { checkModelKey, checkSize, toEntryMessage } from "./messages.ts";

export function registerModelRpc(deps: { modelCache: ModelCacheStore }) {
  return async ({ modelType, modelName, cachePath, sizeBytes }: RegisterModelRequest) => {
    const checks = startChecks();
    checkModelKey("", { modelType, modelName, cachePath }, checks);
    checkSize("size_bytes", sizeBytes, checks);
    checks.throwIfAny();
    const { entry, existing } = await deps.modelCache.register({
      modelType,
      modelName,
      cachePath,
      sizeBytes,
    });
    return { entry: toEntryMessage(entry), existing };
  };
}
