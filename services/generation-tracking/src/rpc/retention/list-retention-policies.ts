import type { HandlerContext } from "@connectrpc/connect";
import type { ListRetentionPoliciesRequest } from "@kindred/contracts/generation-tracking/v1";
import { timestampOf } from "@kindred/rpc";
import type { RetentionPolicies } from "../../domain/retention/ports.ts";
import { limitsOf } from "../limits.ts";
import { toPolicyMessage } from "./policy-fields.ts";

export function listRetentionPoliciesRpc({ policies }: { policies: Pick<RetentionPolicies, "list"> }) {
  return async (_: ListRetentionPoliciesRequest, context: HandlerContext) => {
    const states = await policies.list(limitsOf(context)());
    return {
      policies: states.map(({ policy, lastAppliedAtMicros, lastDeleted, operationId }) => ({
        policy: toPolicyMessage(policy),
        ...(lastAppliedAtMicros !== undefined && { lastAppliedAt: timestampOf(lastAppliedAtMicros) }),
        lastDeleted,
        operationId,
      })),
    };
  };
}
