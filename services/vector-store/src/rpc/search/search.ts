import type { HandlerContext } from "@connectrpc/connect";
import type { SearchRequest } from "@kindred/contracts/vector-store/v1";
import { search, type SearchDeps } from "../../domain/search/search.ts";
import { limitsOf } from "../limits.ts";
import { toSearchResponse } from "./messages.ts";
import { readQuery } from "./read-query.ts";

export function searchRpc(deps: SearchDeps) {
  return async (request: SearchRequest, context: HandlerContext) =>
    toSearchResponse(await search(deps, readQuery(request), limitsOf(context)));
}
