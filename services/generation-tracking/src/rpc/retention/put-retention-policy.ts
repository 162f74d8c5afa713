import type { HandlerContext } from "@connectrpc/connect";
import type { PutRetentionPolicyRequest } from "@kindred/contracts/generation-tracking/v1";
import { invalidField } from "@kindred/errors";
import { startChecks } from "@kindred/rpc";
import type { RetentionPolicies } from "../../domain/retention/ports.ts";
import { limitsOf } from "../limits.ts";
import { readPolicy, toPolicyMessage } from "./policy-fields.ts";

export function putRetentionPolicyRpc({ policies }: { policies: Pick<RetentionPolicies, "put"> }) {
  return async (request: PutRetentionPolicyRequest, context: HandlerContext) => {
    if (!request.policy) throw invalidField("policy", "is required");
    const checks = startChecks();
    const wanted = readPolicy(request.policy, "policy", checks);
    checks.throwIfAny();
    const { policy, created } = await policies.put(wanted, limitsOf(context)());
    return { policy: toPolicyMessage(policy), created };
  };
}
