import type { HandlerContext } from "@connectrpc/connect";
import type { GetItemsRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { getItems, type ReadItemsDeps } from "../../domain/items/read-items.ts";
import { limitsOf } from "../limits.ts";
import { readProjection } from "../search/read-query.ts";
import { toItemMessage } from "./messages.ts";
import { readCollection } from "./read-items.ts";

const MAX_KEYS = 1000;

export function getItemsRpc(deps: ReadItemsDeps) {
  return async (request: GetItemsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const collection = readCollection(request.collection, "collection", checks);
    checks.size("keys", request.keys, { max: MAX_KEYS });
    const projection = readProjection(request.projection, "projection", checks);
    checks.throwIfAny();
    const items = await getItems(deps, { collection, keys: request.keys, projection }, limitsOf(context));
    return { items: items.map(toItemMessage) };
  };
}
