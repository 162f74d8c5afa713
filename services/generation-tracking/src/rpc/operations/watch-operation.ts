import type { HandlerContext } from "@connectrpc/connect";
import type { WatchOperationRequest } from "@kindred/contracts/generation-tracking/v1";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "./messages.ts";
import { readOperationId } from "./read-operation-id.ts";

export function watchOperationRpc({ operations }: { operations: Pick<OperationStore, "watch"> }) {
  return async function* ({ id }: WatchOperationRequest, context: HandlerContext) {
    for await (const operation of operations.watch(readOperationId(id), limitsOf(context)()))
      yield { operation: toOperationMessage(operation) };
    // Without this, a call that was broken off would look like an operation that has ended.
    context.signal.throwIfAborted();
  };
}
