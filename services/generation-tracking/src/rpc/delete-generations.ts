import type { DeleteGenerationsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { GenerationLives } from "../domain/generation-lives.ts";

const MAX_IDS = 1000;

export function deleteGenerationsRpc(deps: { lives: Pick<GenerationLives, "delete"> }) {
  return async ({ ids }: DeleteGenerationsRequest) => {
    const checks = startChecks();
    checks.ids("ids", ids, { max: MAX_IDS });
    checks.throwIfAny();
    return { deleted: BigInt(await deps.lives.delete(ids)) };
  };
}
