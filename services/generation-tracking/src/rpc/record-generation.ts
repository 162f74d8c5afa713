import { create } from "@bufbuild/protobuf";
import {
  GenerationFieldsSchema,
  type RecordGenerationRequest,
} from "@kindred/contracts/generation-tracking/v1";
import { invalidFields } from "@kindred/errors";
import type { GenerationStore } from "../domain/generation-store.ts";
import { recordGeneration } from "../domain/record-generation.ts";
import { startChecks } from "./checks.ts";
import { readGenerationFields } from "./generation-fields.ts";
import { toGenerationMessage } from "./messages.ts";

const MAX_KEY_CHARACTERS = 200;

export function recordGenerationRpc(deps: { store: GenerationStore }) {
  return async (request: RecordGenerationRequest) => {
    const checks = startChecks();
    if (!request.generation) checks.add("generation", "is required");
    const message = request.generation ?? create(GenerationFieldsSchema, { prompt: "absent" });
    const fields = readGenerationFields(message, "generation", checks);
    checks.text("idempotency_key", request.idempotencyKey, { maxCharacters: MAX_KEY_CHARACTERS });
    if (checks.violations.length > 0) throw invalidFields(checks.violations);
    const { generation, existing } = await recordGeneration(deps, fields, request.idempotencyKey);
    return { generation: toGenerationMessage(generation), existing };
  };
}
