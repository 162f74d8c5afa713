import type { HandlerContext } from "@connectrpc/connect";
import type { CountGenerationsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { countGenerations } from "../domain/count-generations.ts";
import type { GenerationLists } from "../domain/generation-lists.ts";
import { readGenerationFilter } from "./generation-filter.ts";
import { limitsOf } from "./limits.ts";

const MAX_LIMIT = 10_000_000n;

export function countGenerationsRpc(deps: { lists: Pick<GenerationLists, "count"> }) {
  return async ({ filter, limit }: CountGenerationsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const wanted = readGenerationFilter(filter, "filter", checks);
    if (limit < 0n || limit > MAX_LIMIT)
      checks.add("limit", `must be 1 to ${MAX_LIMIT}, or 0 for all of them; is ${limit}`);
    checks.throwIfAny();
    const { count, limited } = await countGenerations(
      deps,
      wanted,
      Number(limit) || undefined,
      limitsOf(context)(),
    );
    return { count: BigInt(count), limited };
  };
}
