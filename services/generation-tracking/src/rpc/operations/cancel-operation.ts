import type { HandlerContext } from "@connectrpc/connect";
import type { CancelOperationRequest } from "@kindred/contracts/generation-tracking/v1";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "./messages.ts";
import { readOperationId } from "./read-operation-id.ts";

export function cancelOperationRpc({ operations }: { operations: Pick<OperationStore, "cancel"> }) {
  return async ({ id }: CancelOperationRequest, context: HandlerContext) => ({
    operation: toOperationMessage(await operations.cancel(readOperationId(id), limitsOf(context)())),
  });
}
