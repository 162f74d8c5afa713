import type { RecordGenerationRequest } from "@kindred/contracts/generation-tracking/v1";
import { invalidFields } from "@kindred/errors";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { GenerationStore } from "../domain/generation-store.ts";
import { recordGeneration } from "../domain/record-generation.ts";
import { readGenerationFields } from "./generation-fields.ts";
import { microsOf } from "./timestamps.ts";
import { toGenerationMessage } from "./messages.ts";

export const MAX_KEY_CHARACTERS = 200;
/** Clocks of two machines differ. */
const TOLERATED_AHEAD_MICROS = 60_000_000n;

export function recordGenerationRpc(deps: { store: GenerationStore }) {
  return async (request: RecordGenerationRequest) => {
    const checks = startChecks();
    checks.text("idempotency_key", request.idempotencyKey, { maxCharacters: MAX_KEY_CHARACTERS });
    if (!request.generation) {
      throw invalidFields([{ field: "generation", description: "is required" }, ...checks.violations]);
    }
    const fields = readGenerationFields(request.generation, "generation", checks);
    const createdAtMicros = readCreatedAt(request, checks);
    checks.throwIfAny();
    const { generation, existing } = await recordGeneration(deps, fields, request.idempotencyKey, {
      createdAtMicros,
    });
    return { generation: toGenerationMessage(generation), existing };
  };
}

function readCreatedAt({ createdAt }: RecordGenerationRequest, checks: FieldChecks): bigint | undefined {
  if (!createdAt || !checks.time("created_at", createdAt)) return undefined;
  const micros = microsOf(createdAt);
  if (micros > BigInt(Date.now()) * 1_000n + TOLERATED_AHEAD_MICROS)
    checks.add("created_at", "must not be in the future");
  return micros;
}
