import type { HandlerContext } from "@connectrpc/connect";
import type { DeleteItemsRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import { deleteItems, type ChangeItemsDeps } from "../../domain/items/change-items.ts";
import { MAX_ITEMS } from "../../domain/items/new-items.ts";
import type { Filter } from "../../domain/filter.ts";
import { limitsOf } from "../limits.ts";
import { readFilter } from "../read-filter.ts";
import { readCollection } from "./read-items.ts";

export function deleteItemsRpc(deps: ChangeItemsDeps) {
  return async (request: DeleteItemsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const collection = readCollection(request.collection, "collection", checks);
    const which = readWhich(request, checks);
    checks.throwIfAny();
    // Whatever lacks it has a violation.
    if (!which) throw new TypeError("nothing says which items");
    return { deleted: BigInt(await deleteItems(deps, { collection, which }, limitsOf(context))) };
  };
}

function readWhich(
  { which }: DeleteItemsRequest,
  checks: FieldChecks,
): { keys: readonly string[] } | { filter: Filter } | undefined {
  switch (which.case) {
    case "keys":
      checks.size("keys.keys", which.value.keys, { max: MAX_ITEMS });
      return { keys: which.value.keys };
    case "filter": {
      const filter = readFilter(which.value, "filter", checks);
      return filter && { filter };
    }
    case undefined:
      checks.add("which", "is required: keys or filter");
      return undefined;
  }
}
