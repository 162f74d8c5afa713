import type { HandlerContext } from "@connectrpc/connect";
import type { UpsertRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { ItemBatch } from "../../domain/items/new-items.ts";
import { upsertItems, type StoreItemsDeps } from "../../domain/items/store-items.ts";
import { limitsOf } from "../limits.ts";
import {
  readBadRowPolicy,
  readCollection,
  readConflictPolicy,
  readItems,
  readSpaceId,
} from "./read-items.ts";

export function upsertRpc(deps: StoreItemsDeps) {
  return async (request: UpsertRequest, context: HandlerContext) => {
    const options = { ...limitsOf(context), priority: "interactive" as const };
    const { inserted, replaced, skipped, rejected } = await upsertItems(deps, readRequest(request), options);
    return {
      inserted: BigInt(inserted),
      replaced: BigInt(replaced),
      skipped: BigInt(skipped),
      rejected: [...rejected],
    };
  };
}

function readRequest(request: UpsertRequest): ItemBatch {
  const checks = startChecks();
  const batch: ItemBatch = {
    collection: readCollection(request.collection, "collection", checks),
    items: readItems(request.items, "items", checks),
    spaceId: readSpaceId(request.spaceId, "space_id", checks),
    onConflict: readConflictPolicy(request.onConflict, "replace", "on_conflict", checks),
    badRows: readBadRowPolicy(request.badRows, "bad_rows", checks),
    writeMethod: "auto",
    fields: { items: "items", spaceId: "space_id" },
  };
  checks.throwIfAny();
  return batch;
}
