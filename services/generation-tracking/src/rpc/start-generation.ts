import type { Duration } from "@bufbuild/protobuf/wkt";
import type { StartGenerationRequest } from "@kindred/contracts/generation-tracking/v1";
import { invalidFields } from "@kindred/errors";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { GenerationStore } from "../domain/generation-store.ts";
import { recordGeneration } from "../domain/record-generation.ts";
import { readStartFields } from "./generation-fields.ts";
import { toGenerationMessage } from "./messages.ts";
import { MAX_KEY_CHARACTERS } from "./record-generation.ts";
import { microsOfDuration } from "./sessions/durations.ts";

const DEFAULT_LEASE_MS = 60_000;
const [SHORTEST_LEASE_MICROS, LONGEST_LEASE_MICROS] = [1_000_000n, 86_400_000_000n];

export function startGenerationRpc(deps: { store: GenerationStore }) {
  return async (request: StartGenerationRequest) => {
    const checks = startChecks();
    checks.text("idempotency_key", request.idempotencyKey, { maxCharacters: MAX_KEY_CHARACTERS });
    const leaseMs = readLease(request.lease, checks);
    if (!request.generation) {
      throw invalidFields([{ field: "generation", description: "is required" }, ...checks.violations]);
    }
    const fields = readStartFields(request.generation, "generation", checks);
    checks.throwIfAny();
    const { generation, existing } = await recordGeneration(deps, fields, request.idempotencyKey, {
      leaseMs,
    });
    return { generation: toGenerationMessage(generation), existing };
  };
}

/** In milliseconds. */
function readLease(lease: Duration | undefined, checks: FieldChecks): number {
  if (!lease) return DEFAULT_LEASE_MS;
  const micros = microsOfDuration(lease);
  if (micros === undefined || micros < SHORTEST_LEASE_MICROS || micros > LONGEST_LEASE_MICROS) {
    checks.add("lease", "must be 1 second to 1 day");
    return DEFAULT_LEASE_MS;
  }
  return Math.ceil(Number(micros) / 1000);
}
