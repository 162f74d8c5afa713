import type { HandlerContext } from "@connectrpc/connect";
import type { CancelOperationRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "./messages.ts";
import { readId } from "./read-id.ts";

export function cancelOperationRpc({ operations }: { operations: Pick<OperationStore, "cancel"> }) {
  return async (request: CancelOperationRequest, context: HandlerContext) => {
    const checks = startChecks();
    const id = readId(request.id, checks);
    checks.throwIfAny();
    return { operation: toOperationMessage(await operations.cancel(id, limitsOf(context))) };
  };
}
