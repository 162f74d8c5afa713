import type { HandlerContext } from "@connectrpc/connect";
import type { ListRecallEventsRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { listEvents } from "../../domain/recall/list-recall.ts";
import type { RecallStore } from "../../domain/recall/recall.ts";
import { readName } from "../collections/collection-fields.ts";
import { limitsOf } from "../limits.ts";
import { toEventMessage } from "./messages.ts";
import { PAGE_SIZES } from "./read-recall.ts";

export function listRecallEventsRpc(deps: { recall: Pick<RecallStore, "events"> }) {
  return async (request: ListRecallEventsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const { collection: name, pageToken } = request;
    const collection = name === "" ? undefined : readName(name, "collection", checks);
    const pageSize = checks.count("page_size", request.pageSize, PAGE_SIZES);
    checks.throwIfAny();
    const page = await listEvents(deps, collection, { pageSize, pageToken }, limitsOf(context));
    return { events: page.found.map(toEventMessage), nextPageToken: page.nextPageToken };
  };
}
