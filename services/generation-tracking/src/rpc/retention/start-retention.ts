import type { HandlerContext } from "@connectrpc/connect";
import type { StartRetentionRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { startRetention, type ApplyRetentionDeps } from "../../domain/retention/apply-retention.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "../operations/messages.ts";
import { MAX_KEY_CHARACTERS } from "../record-generation.ts";
import { checkPolicyName } from "./policy-fields.ts";

export function startRetentionRpc(deps: ApplyRetentionDeps) {
  return async ({ name, idempotencyKey }: StartRetentionRequest, context: HandlerContext) => {
    const checks = startChecks();
    checkPolicyName("name", name, checks);
    checks.text("idempotency_key", idempotencyKey, { maxCharacters: MAX_KEY_CHARACTERS });
    checks.throwIfAny();
    const requestId = idempotencyKey === "" ? undefined : idempotencyKey;
    const operation = await startRetention(deps, { name, requestId }, limitsOf(context));
    return { operation: toOperationMessage(operation) };
  };
}
