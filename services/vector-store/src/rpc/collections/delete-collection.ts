import type { HandlerContext } from "@connectrpc/connect";
import type { DeleteCollectionRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import { limitsOf } from "../limits.ts";
import { readName } from "./collection-fields.ts";

export function deleteCollectionRpc({ collections }: { collections: Pick<CollectionRepository, "remove"> }) {
  return async (request: DeleteCollectionRequest, context: HandlerContext) => {
    const checks = startChecks();
    const name = readName(request.name, "name", checks);
    checks.throwIfAny();
    return { vectorsDeleted: await collections.remove(name, limitsOf(context)) };
  };
}
