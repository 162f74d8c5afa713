import type { HandlerContext } from "@connectrpc/connect";
import type { UpdateMetadataRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { updateMetadata, type ChangeItemsDeps } from "../../domain/items/change-items.ts";
import { MAX_ITEMS } from "../../domain/items/new-items.ts";
import { limitsOf } from "../limits.ts";
import { readCollection } from "./read-items.ts";

export function updateMetadataRpc(deps: ChangeItemsDeps) {
  return async (request: UpdateMetadataRequest, context: HandlerContext) => {
    const checks = startChecks();
    const collection = readCollection(request.collection, "collection", checks);
    checks.size("keys", request.keys, { max: MAX_ITEMS });
    checks.throwIfAny();
    const { keys, metadata, documents, merge } = request;
    const changes = { collection, keys, metadata, documents, merge };
    return { updated: BigInt(await updateMetadata(deps, changes, limitsOf(context))) };
  };
}
