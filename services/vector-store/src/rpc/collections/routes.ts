import type { ServiceImpl } from "@connectrpc/connect";
import type { CollectionService } from "@kindred/contracts/vector-store/v1";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import type { StartReembeddingDeps } from "../../domain/reembedding/start-reembedding.ts";
import { createCollectionRpc, type CreateCollectionDeps } from "./create-collection.ts";
import { deleteCollectionRpc } from "./delete-collection.ts";
import { getCollectionRpc } from "./get-collection.ts";
import { getCollectionStatisticsRpc } from "./get-collection-statistics.ts";
import { listCollectionsRpc } from "./list-collections.ts";
import { registerCollectionRpc } from "./register-collection.ts";
import { startReembeddingRpc } from "./start-reembedding.ts";
import { updateCollectionRpc } from "./update-collection.ts";

export function collectionRoutes(
  deps: StartReembeddingDeps & CreateCollectionDeps & { collections: CollectionRepository },
): ServiceImpl<typeof CollectionService> {
  return {
    createCollection: createCollectionRpc(deps),
    registerCollection: registerCollectionRpc(deps),
    getCollection: getCollectionRpc(deps),
    listCollections: listCollectionsRpc(deps),
    updateCollection: updateCollectionRpc(deps),
    deleteCollection: deleteCollectionRpc(deps),
    startReembedding: startReembeddingRpc(deps),
    getCollectionStatistics: getCollectionStatisticsRpc(deps),
  };
}
