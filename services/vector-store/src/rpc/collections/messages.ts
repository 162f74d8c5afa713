import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { CollectionSchema } from "@kindred/contracts/vector-store/v1";
import type { Collection } from "../../domain/collection.ts";
import {
  ELEMENT_TYPE_MESSAGES,
  INDEX_KIND_MESSAGES,
  KIND_MESSAGES,
  MAINTENANCE_MESSAGES,
  METRIC_MESSAGES,
  QUANTIZATION_MESSAGES,
} from "./enums.ts";

export function toCollectionMessage(collection: Collection): MessageInitShape<typeof CollectionSchema> {
  const { indexPolicy, layout } = collection;
  return {
    name: collection.name,
    kind: KIND_MESSAGES[collection.kind],
    dimensions: collection.dimensions,
    elementType: ELEMENT_TYPE_MESSAGES[collection.elementType],
    metric: METRIC_MESSAGES[collection.metric],
    spaceId: collection.space?.id ?? "",
    recallTarget: collection.recallTarget,
    indexPolicy: {
      kind: INDEX_KIND_MESSAGES[indexPolicy.kind],
      m: indexPolicy.m ?? 0,
      efConstruction: indexPolicy.efConstruction ?? 0,
      lists: indexPolicy.lists ?? 0,
      ...(indexPolicy.quantization && { quantization: QUANTIZATION_MESSAGES[indexPolicy.quantization] }),
      maintenance: MAINTENANCE_MESSAGES[indexPolicy.maintenance],
      minRows: BigInt(indexPolicy.minRows ?? 0),
      indexName: indexPolicy.indexName ?? "",
    },
    textSearchConfig: collection.textSearchConfig ?? "",
    table: {
      schema: layout.vectors.schema,
      table: layout.vectors.name,
      keyColumn: layout.key.column,
      vectorColumn: layout.vector.column,
      // Documents of the store's own collections are in another table.
      documentColumn: layout.document?.of === "vectors" ? layout.document.column : "",
    },
    hashPartitions: collection.hashPartitions ?? 0,
    reembeddingSpaceId: collection.reembeddingSpaceId ?? "",
    storedAsJson: layout.vector.storage === "json",
    createdAt: timestampFromDate(collection.createdAt),
  };
}
