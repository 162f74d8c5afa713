import type { HandlerContext } from "@connectrpc/connect";
import type { GetOperationRequest } from "@kindred/contracts/generation-tracking/v1";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "./messages.ts";
import { readOperationId } from "./read-operation-id.ts";

export function getOperationRpc({ operations }: { operations: Pick<OperationStore, "get"> }) {
  return async ({ id }: GetOperationRequest, context: HandlerContext) => ({
    operation: toOperationMessage(await operations.get(readOperationId(id), limitsOf(context)())),
  });
}
