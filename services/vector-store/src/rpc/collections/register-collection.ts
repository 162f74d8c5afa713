import type { HandlerContext } from "@connectrpc/connect";
import type { RegisterCollectionRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { CollectionRepository, NewRegistration } from "../../domain/item-ports.ts";
import { limitsOf } from "../limits.ts";
import {
  DEFAULT_RECALL_TARGET,
  readIndexPolicy,
  readMetric,
  readName,
  readRecallTarget,
  readSpace,
  readTable,
  readTextSearchConfig,
} from "./collection-fields.ts";
import { toCollectionMessage } from "./messages.ts";

export function registerCollectionRpc({
  collections,
}: {
  collections: Pick<CollectionRepository, "register">;
}) {
  return async (request: RegisterCollectionRequest, context: HandlerContext) => {
    const collection = await collections.register(readRegistration(request), limitsOf(context));
    return { collection: toCollectionMessage(collection) };
  };
}

function readRegistration(request: RegisterCollectionRequest): NewRegistration {
  const checks = startChecks();
  const table = readTable(request.table, "table", checks);
  if (request.textSearchConfig && table.documentColumn === "")
    checks.add("text_search_config", "has a meaning with table.document_column only");
  const registration: NewRegistration = {
    // A table without a name is told of already.
    name:
      request.name === "" && table.table === "" ? "" : readName(request.name || table.table, "name", checks),
    table,
    metric: readMetric(request.metric, "metric", checks),
    space: readSpace(request.spaceId, "space_id", checks),
    recallTarget: readRecallTarget(request.recallTarget ?? DEFAULT_RECALL_TARGET, "recall_target", checks),
    indexPolicy: readIndexPolicy(request.indexPolicy, "index_policy", checks, "manual"),
    textSearchConfig: readTextSearchConfig(request.textSearchConfig, "text_search_config", checks),
  };
  checks.throwIfAny();
  return registration;
}
