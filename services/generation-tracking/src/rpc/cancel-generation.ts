import type { CancelGenerationRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { endGeneration, type LifeDeps } from "../domain/end-generation.ts";
import { toGenerationMessage } from "./messages.ts";
import { readId } from "./read-id.ts";

export function cancelGenerationRpc(deps: LifeDeps) {
  return async (request: CancelGenerationRequest) => {
    const checks = startChecks();
    const id = readId(request.id, checks);
    checks.throwIfAny();
    return { generation: toGenerationMessage(await endGeneration(deps, id, { status: "cancelled" })) };
  };
}
