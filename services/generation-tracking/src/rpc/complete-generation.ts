import type { CompleteGenerationRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { endGeneration, type LifeDeps } from "../domain/end-generation.ts";
import { checkJsonObject } from "./json-checks.ts";
import { toGenerationMessage } from "./messages.ts";
import { readOutputs } from "./output-fields.ts";
import { readId } from "./read-id.ts";

export function completeGenerationRpc(deps: LifeDeps) {
  return async (request: CompleteGenerationRequest) => {
    const { generationTimeMs, memoryUsageMb, modelConfig, seed } = request;
    const checks = startChecks();
    const id = readId(request.id, checks);
    const files = readOutputs(request, "", checks);
    checks.notNegative("generation_time_ms", generationTimeMs);
    checks.notNegative("memory_usage_mb", memoryUsageMb);
    if (modelConfig) checkJsonObject(modelConfig, "model_config", checks);
    checks.throwIfAny();
    const generation = await endGeneration(deps, id, {
      status: "completed",
      ...files,
      generationTimeMs,
      memoryUsageMb,
      modelConfig,
      seed,
    });
    return { generation: toGenerationMessage(generation) };
  };
}
