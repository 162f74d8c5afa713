import type { HandlerContext } from "@connectrpc/connect";
import { AdviceSeverity, type AdviseIndexesRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { IndexAdvice } from "../../domain/indexes/index-advice.ts";
import type { IndexAdvisor } from "../../domain/indexes/index-advisor.ts";
import { readName } from "../collections/collection-fields.ts";
import { limitsOf } from "../limits.ts";

const SEVERITIES: Record<IndexAdvice["severity"], AdviceSeverity> = {
  info: AdviceSeverity.INFO,
  warning: AdviceSeverity.WARNING,
  critical: AdviceSeverity.CRITICAL,
};

export function adviseIndexesRpc({ advisor }: { advisor: IndexAdvisor }) {
  return async (request: AdviseIndexesRequest, context: HandlerContext) => {
    const checks = startChecks();
    if (request.collection !== "") readName(request.collection, "collection", checks);
    checks.throwIfAny();
    const advice = await advisor.advise(request.collection || undefined, limitsOf(context));
    return {
      advice: advice.map(({ indexName = "", remedy = "", severity, ...rest }) => ({
        ...rest,
        indexName,
        remedy,
        severity: SEVERITIES[severity],
      })),
    };
  };
}
