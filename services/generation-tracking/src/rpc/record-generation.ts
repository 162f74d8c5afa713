import type { RecordGenerationRequest } from "@kindred/contracts/generation-tracking/v1";
import { invalidFields } from "@kindred/errors";
import { startChecks } from "@kindred/rpc";
import type { GenerationStore } from "../domain/generation-store.ts";
import { recordGeneration } from "../domain/record-generation.ts";
import { readGenerationFields } from "./generation-fields.ts";
import { toGenerationMessage } from "./messages.ts";

const MAX_KEY_CHARACTERS = 200;

export function recordGenerationRpc(deps: { store: GenerationStore }) {
  return async (request: RecordGenerationRequest) => {
    const checks = startChecks();
    checks.text("idempotency_key", request.idempotencyKey, { maxCharacters: MAX_KEY_CHARACTERS });
    if (!request.generation) {
      throw invalidFields([{ field: "generation", description: "is required" }, ...checks.violations]);
    }
    const fields = readGenerationFields(request.generation, "generation", checks);
    checks.throwIfAny();
    const { generation, existing } = await recordGeneration(deps, fields, request.idempotencyKey);
    return { generation: toGenerationMessage(generation), existing };
  };
}
