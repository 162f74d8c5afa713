import type { HandlerContext } from "@connectrpc/connect";
import type { StartIndexBuildRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { countDown } from "../../domain/call-limits.ts";
import { COLLECTION } from "../../domain/collection.ts";
import { startIndexBuild, type StartIndexDeps } from "../../domain/indexes/start-operations.ts";
import { readIndexName, readName } from "../collections/collection-fields.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "../operations/messages.ts";
import { readIndexWish } from "./index-wish.ts";
import { readRequestId } from "./request-id.ts";

export function startIndexBuildRpc(deps: StartIndexDeps) {
  return async (request: StartIndexBuildRequest, context: HandlerContext) => {
    const checks = startChecks();
    const collection = readName(request.collection || COLLECTION, "collection", checks);
    const wish = readIndexWish(request.spec, "spec", checks);
    const indexName = readIndexName(request.spec?.indexName, "spec.index_name", checks);
    const requestId = readRequestId(request.requestId, checks);
    checks.throwIfAny();
    const { keepOnMiss, keepOthers } = request;
    const operation = await startIndexBuild(
      deps,
      { collection, wish, indexName, keepOnMiss, keepOthers, requestId },
      countDown(limitsOf(context)),
    );
    return { operation: toOperationMessage(operation) };
  };
}
