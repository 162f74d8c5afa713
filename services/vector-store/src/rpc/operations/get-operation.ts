import type { HandlerContext } from "@connectrpc/connect";
import type { GetOperationRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "./messages.ts";
import { readId } from "./read-id.ts";

export function getOperationRpc({ operations }: { operations: Pick<OperationStore, "get"> }) {
  return async (request: GetOperationRequest, context: HandlerContext) => {
    const checks = startChecks();
    const id = readId(request.id, checks);
    checks.throwIfAny();
    return { operation: toOperationMessage(await operations.get(id, limitsOf(context))) };
  };
}
