import type { HandlerContext } from "@connectrpc/connect";
import type { GetLineageRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { getLineage } from "../../domain/lineage/get-lineage.ts";
import type { LineageStore } from "../../domain/lineage/ports.ts";
import { toGenerationMessage } from "../messages.ts";
import { limitsOf } from "../limits.ts";
import { checkId } from "./messages.ts";

const DEFAULT_DEPTH = 3;
const MAX_DEPTH = 10;

export function getLineageRpc(deps: { lineage: Pick<LineageStore, "lineage"> }) {
  return async (request: GetLineageRequest, context: HandlerContext) => {
    const checks = startChecks();
    checkId("id", request.id, checks);
    const depth = checks.count("depth", request.depth, { max: MAX_DEPTH, zero: DEFAULT_DEPTH });
    checks.throwIfAny();
    const { generation, ancestors, descendants, batch } = await getLineage(
      deps,
      request.id,
      depth,
      limitsOf(context)(),
    );
    return {
      generation: toGenerationMessage(generation),
      ancestors: ancestors.map(toGenerationMessage),
      descendants: descendants.map(toGenerationMessage),
      batch: batch.map(toGenerationMessage),
    };
  };
}
