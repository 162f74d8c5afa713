import type { GetCollectionRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import { readName } from "./collection-fields.ts";
import { toCollectionMessage } from "./messages.ts";

export function getCollectionRpc({ collections }: { collections: Pick<CollectionRepository, "get"> }) {
  return async (request: GetCollectionRequest) => {
    const checks = startChecks();
    const name = readName(request.name, "name", checks);
    checks.throwIfAny();
    return { collection: toCollectionMessage(await collections.get(name)) };
  };
}
