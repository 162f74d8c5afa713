import type { HandlerContext } from "@connectrpc/connect";
import type { DeleteRetentionPolicyRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { deletePolicy, type DeletePolicyDeps } from "../../domain/retention/delete-policy.ts";
import { limitsOf } from "../limits.ts";
import { checkPolicyName } from "./policy-fields.ts";

export function deleteRetentionPolicyRpc(deps: DeletePolicyDeps) {
  return async ({ name }: DeleteRetentionPolicyRequest, context: HandlerContext) => {
    const checks = startChecks();
    checkPolicyName("name", name, checks);
    checks.throwIfAny();
    await deletePolicy(deps, name, limitsOf(context));
    return {};
  };
}
