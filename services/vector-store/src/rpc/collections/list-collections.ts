import type { CollectionRepository } from "../../domain/item-ports.ts";
import { toCollectionMessage } from "./messages.ts";

export function listCollectionsRpc({ collections }: { collections: Pick<CollectionRepository, "list"> }) {
  return async () => ({ collections: (await collections.list()).map(toCollectionMessage) });
}
