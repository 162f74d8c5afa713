import type { HandlerContext } from "@connectrpc/connect";
import type { ExportRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { exportItems, type ReadItemsDeps } from "../../domain/items/read-items.ts";
import { limitsOf } from "../limits.ts";
import { readFilter } from "../read-filter.ts";
import { readProjection } from "../search/read-query.ts";
import { toBatchMessage } from "./messages.ts";
import { readCollection } from "./read-items.ts";

export function exportRpc(deps: ReadItemsDeps) {
  return async function* (request: ExportRequest, context: HandlerContext) {
    const checks = startChecks();
    const query = {
      collection: readCollection(request.collection, "collection", checks),
      filter: readFilter(request.filter, "filter", checks),
      afterKey: request.afterKey,
      projection: readProjection(request.projection, "projection", checks),
    };
    checks.throwIfAny();
    for await (const items of exportItems(deps, query, limitsOf(context)))
      yield { items: toBatchMessage(items, query.projection) };
  };
}
