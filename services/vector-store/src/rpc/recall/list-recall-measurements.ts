import type { HandlerContext } from "@connectrpc/connect";
import type { ListRecallMeasurementsRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import { listMeasurements } from "../../domain/recall/list-recall.ts";
import type { RecallStore } from "../../domain/recall/recall.ts";
import { limitsOf } from "../limits.ts";
import { toMeasurementMessage } from "./messages.ts";
import { PAGE_SIZES, readCollectionName, readIndexName } from "./read-recall.ts";

export function listRecallMeasurementsRpc(deps: {
  collections: Pick<CollectionRepository, "get">;
  recall: Pick<RecallStore, "measurements">;
}) {
  return async (request: ListRecallMeasurementsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const list = {
      collection: readCollectionName(request.collection, checks),
      indexName: readIndexName(request.indexName, checks),
    };
    const pageSize = checks.count("page_size", request.pageSize, PAGE_SIZES);
    checks.throwIfAny();
    await deps.collections.get(list.collection);
    const { pageToken } = request;
    const page = await listMeasurements(deps, list, { pageSize, pageToken }, limitsOf(context));
    return { measurements: page.found.map(toMeasurementMessage), nextPageToken: page.nextPageToken };
  };
}
