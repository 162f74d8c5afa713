import type { DeleteGenerationsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { GenerationLives } from "../domain/generation-lives.ts";

const MAX_IDS = 1000;

export function deleteGenerationsRpc(deps: { lives: Pick<GenerationLives, "delete"> }) {
  return async ({ ids }: DeleteGenerationsRequest) => {
    const checks = startChecks();
    if (ids.length < 1 || ids.length > MAX_IDS)
      checks.add("ids", `must be 1 to ${MAX_IDS}, are ${ids.length}`);
    else
      for (const [i, id] of ids.entries())
        if (id < 1n) checks.add(`ids[${i}]`, `must be at least 1, is ${id}`);
    checks.throwIfAny();
    return { deleted: BigInt(await deps.lives.delete(ids)) };
  };
}
