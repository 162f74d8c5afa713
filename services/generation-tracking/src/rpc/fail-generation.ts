import type { FailGenerationRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { endGeneration, type LifeDeps } from "../domain/end-generation.ts";
import { toGenerationMessage } from "./messages.ts";
import { readId } from "./read-id.ts";

export function failGenerationRpc(deps: LifeDeps) {
  return async (request: FailGenerationRequest) => {
    const { errorMessage, generationTimeMs, memoryUsageMb } = request;
    const checks = startChecks();
    const id = readId(request.id, checks);
    checks.text("error_message", errorMessage, { required: true });
    checks.notNegative("generation_time_ms", generationTimeMs);
    checks.notNegative("memory_usage_mb", memoryUsageMb);
    checks.throwIfAny();
    const generation = await endGeneration(deps, id, {
      status: "failed",
      errorMessage,
      generationTimeMs,
      memoryUsageMb,
    });
    return { generation: toGenerationMessage(generation) };
  };
}
