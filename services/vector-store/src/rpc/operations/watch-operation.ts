import type { HandlerContext } from "@connectrpc/connect";
import type { WatchOperationRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "./messages.ts";
import { readId } from "./read-id.ts";

export function watchOperationRpc({ operations }: { operations: Pick<OperationStore, "watch"> }) {
  return async function* (request: WatchOperationRequest, context: HandlerContext) {
    const checks = startChecks();
    const id = readId(request.id, checks);
    checks.throwIfAny();
    for await (const operation of operations.watch(id, limitsOf(context)))
      yield { operation: toOperationMessage(operation) };
    // Without this, a call that was broken off would look like an operation that has ended.
    context.signal.throwIfAborted();
  };
}
