import type { HandlerContext } from "@connectrpc/connect";
import type { ScrollRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { scrollItems, type ReadItemsDeps } from "../../domain/items/read-items.ts";
import { limitsOf } from "../limits.ts";
import { readFilter } from "../read-filter.ts";
import { readProjection } from "../search/read-query.ts";
import { toItemMessage } from "./messages.ts";
import { readCollection } from "./read-items.ts";

const MAX_PAGE_SIZE = 1000;
const DEFAULT_PAGE_SIZE = 100;

export function scrollRpc(deps: ReadItemsDeps) {
  return async (request: ScrollRequest, context: HandlerContext) => {
    const checks = startChecks();
    const query = {
      collection: readCollection(request.collection, "collection", checks),
      filter: readFilter(request.filter, "filter", checks),
      pageSize: checks.count("page_size", request.pageSize, { max: MAX_PAGE_SIZE, zero: DEFAULT_PAGE_SIZE }),
      pageToken: request.pageToken,
      projection: readProjection(request.projection, "projection", checks),
    };
    checks.throwIfAny();
    const { items, nextPageToken } = await scrollItems(deps, query, limitsOf(context));
    return { items: items.map(toItemMessage), nextPageToken };
  };
}
