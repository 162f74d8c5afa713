import type { ConnectRouter } from "@connectrpc/connect";
import {
  CollectionService,
  ImageService,
  IndexService,
  OperationService,
  RecallService,
  SearchService,
  VectorService,
} from "@kindred/contracts/vector-store/v1";
import type { CollectionRepository, ItemSearch, ItemStore, TextSearch } from "../domain/item-ports.ts";
import type { IndexBuilding, IndexPlanner } from "../domain/indexes/index-ports.ts";
import type { IndexAdvisor } from "../domain/indexes/index-advisor.ts";
import type { IndexUpkeep } from "../domain/indexes/index-upkeep.ts";
import type { OperationStore } from "../domain/operations/operation.ts";
import type { CatalogueWriter, EmbeddingPort, ImageRepository, StatisticsReader } from "../domain/ports.ts";
import type { SpaceMoves } from "../domain/reembedding/reembedding-ports.ts";
import type { SearchReplicas } from "../domain/search/search-replicas.ts";
import type { RecentQueries } from "../domain/recall/recent-queries.ts";
import { addEmbeddingsRpc } from "./add-embeddings.ts";
import { addImageRpc } from "./add-image.ts";
import { addImageWithEmbeddingsRpc } from "./add-image-with-embeddings.ts";
import { batchAddImagesRpc } from "./batch-add-images.ts";
import { collectionRoutes } from "./collections/routes.ts";
import { deleteImageRpc } from "./delete-image.ts";
import { getImageRpc } from "./get-image.ts";
import { getDatabaseUsageRpc, type UsageDeps } from "./get-database-usage.ts";
import { getStatisticsRpc } from "./get-statistics.ts";
import { itemRoutes } from "./items/routes.ts";
import { listImagesRpc } from "./list-images.ts";
import { adviseIndexesRpc } from "./indexes/advise-indexes.ts";
import { ensureIndexRpc } from "./indexes/ensure-index.ts";
import { listIndexesRpc } from "./indexes/list-indexes.ts";
import { planIndexRpc } from "./indexes/plan-index.ts";
import { startIndexBuildRpc } from "./indexes/start-index-build.ts";
import { startIndexDropRpc } from "./indexes/start-index-drop.ts";
import { startIndexRebuildRpc } from "./indexes/start-index-rebuild.ts";
import { operationRoutes } from "./operations/routes.ts";
import { recallRoutes, type RecallDeps } from "./recall/routes.ts";
import { explainRpc } from "./search/explain.ts";
import { searchBatchRpc } from "./search/search-batch.ts";
import { searchRpc } from "./search/search.ts";
import { updateImageRpc } from "./update-image.ts";

export interface VectorStoreDeps extends RecallDeps, UsageDeps {
  embedding: EmbeddingPort;
  images: ImageRepository;
  catalogue: CatalogueWriter;
  indexes: IndexBuilding & IndexUpkeep;
  planner: IndexPlanner;
  advisor: IndexAdvisor;
  log: { warn(fields: object, message: string): void };
  operations: OperationStore;
  statistics: StatisticsReader;
  collections: CollectionRepository;
  items: ItemStore;
  search: ItemSearch;
  texts: TextSearch;
  /** Undefined: nobody wants to know what is searched for. */
  recent?: RecentQueries | undefined;
  /** Undefined: there are none. */
  replicas?: SearchReplicas | undefined;
  moves: SpaceMoves;
}

export function vectorStoreRoutes(deps: VectorStoreDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(ImageService, {
      addImage: addImageRpc(deps),
      addImageWithEmbeddings: addImageWithEmbeddingsRpc(deps),
      addEmbeddings: addEmbeddingsRpc(deps),
      batchAddImages: batchAddImagesRpc(deps),
      getImage: getImageRpc(deps),
      listImages: listImagesRpc(deps),
      updateImage: updateImageRpc(deps),
      deleteImage: deleteImageRpc(deps),
    });
    router.service(CollectionService, collectionRoutes(deps));
    router.service(VectorService, itemRoutes(deps));
    router.service(SearchService, {
      search: searchRpc(deps),
      searchBatch: searchBatchRpc(deps),
      explain: explainRpc(deps),
    });
    router.service(OperationService, operationRoutes(deps));
    router.service(RecallService, recallRoutes(deps));
    router.service(IndexService, {
      planIndex: planIndexRpc({ ...deps, building: deps.indexes }),
      adviseIndexes: adviseIndexesRpc(deps),
      startIndexBuild: startIndexBuildRpc(deps),
      startIndexRebuild: startIndexRebuildRpc(deps),
      startIndexDrop: startIndexDropRpc(deps),
      ensureIndex: ensureIndexRpc(deps),
      listIndexes: listIndexesRpc(deps),
      getStatistics: getStatisticsRpc(deps),
      getDatabaseUsage: getDatabaseUsageRpc(deps),
    });
  };
}
