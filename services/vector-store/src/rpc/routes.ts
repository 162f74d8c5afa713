import type { ConnectRouter } from "@connectrpc/connect";
import {
  CollectionService,
  ImageService,
  IndexService,
  SearchService,
} from "@kindred/contracts/vector-store/v1";
import type { CollectionRepository } from "../domain/item-ports.ts";
import type {
  CatalogueWriter,
  EmbeddingPort,
  ImageRepository,
  StatisticsReader,
  VectorIndexes,
  VectorSearch,
} from "../domain/ports.ts";
import { addEmbeddingsRpc } from "./add-embeddings.ts";
import { addImageRpc } from "./add-image.ts";
import { addImageWithEmbeddingsRpc } from "./add-image-with-embeddings.ts";
import { batchAddImagesRpc } from "./batch-add-images.ts";
import { collectionRoutes } from "./collections/routes.ts";
import { deleteImageRpc } from "./delete-image.ts";
import { ensureIndexRpc } from "./ensure-index.ts";
import { getImageRpc } from "./get-image.ts";
import { getStatisticsRpc } from "./get-statistics.ts";
import { listImagesRpc } from "./list-images.ts";
import { listIndexesRpc } from "./list-indexes.ts";
import { searchRpc } from "./search.ts";
import { updateImageRpc } from "./update-image.ts";

export interface VectorStoreDeps {
  embedding: EmbeddingPort;
  images: ImageRepository;
  catalogue: CatalogueWriter & VectorSearch;
  indexes: VectorIndexes;
  statistics: StatisticsReader;
  collections: CollectionRepository;
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
    router.service(SearchService, { search: searchRpc(deps) });
    router.service(IndexService, {
      ensureIndex: ensureIndexRpc(deps),
      listIndexes: listIndexesRpc(deps),
      getStatistics: getStatisticsRpc(deps),
    });
  };
}
