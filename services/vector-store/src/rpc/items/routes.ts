import type { ServiceImpl } from "@connectrpc/connect";
import type { VectorService } from "@kindred/contracts/vector-store/v1";
import type { CollectionRepository, ItemStore } from "../../domain/item-ports.ts";
import type { EmbeddingPort } from "../../domain/ports.ts";
import { deleteItemsRpc } from "./delete-items.ts";
import { exportRpc } from "./export.ts";
import { getItemsRpc } from "./get-items.ts";
import { ingestRpc } from "./ingest.ts";
import { scrollRpc } from "./scroll.ts";
import { updateMetadataRpc } from "./update-metadata.ts";
import { upsertRpc } from "./upsert.ts";

export function itemRoutes(deps: {
  collections: CollectionRepository;
  items: ItemStore;
  embedding: EmbeddingPort;
}): ServiceImpl<typeof VectorService> {
  return {
    upsert: upsertRpc(deps),
    updateMetadata: updateMetadataRpc(deps),
    getItems: getItemsRpc(deps),
    deleteItems: deleteItemsRpc(deps),
    scroll: scrollRpc(deps),
    ingest: ingestRpc(deps),
    export: exportRpc(deps),
  };
}
