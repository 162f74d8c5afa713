import type { HandlerContext } from "@connectrpc/connect";
import type { StartIndexDropRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { countDown } from "../../domain/call-limits.ts";
import { COLLECTION } from "../../domain/collection.ts";
import { startIndexDrop, type StartIndexDeps } from "../../domain/indexes/start-operations.ts";
import { readName } from "../collections/collection-fields.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "../operations/messages.ts";
import { checkText } from "../text-checks.ts";
import { readRequestId } from "./request-id.ts";

export function startIndexDropRpc(deps: StartIndexDeps) {
  return async (request: StartIndexDropRequest, context: HandlerContext) => {
    const checks = startChecks();
    const collection = readName(request.collection || COLLECTION, "collection", checks);
    checkText(checks, "index_name", request.indexName, { required: true });
    const requestId = readRequestId(request.requestId, checks);
    checks.throwIfAny();
    const operation = await startIndexDrop(
      deps,
      { collection, indexName: request.indexName, requestId },
      countDown(limitsOf(context)),
    );
    return { operation: toOperationMessage(operation) };
  };
}
