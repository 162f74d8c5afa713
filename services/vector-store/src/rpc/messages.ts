import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { EmbeddingSchema, ImageSchema, VectorIndexSchema } from "@kindred/contracts/vector-store/v1";
import type { Image, StoredEmbedding } from "../domain/image.ts";
import type { VectorIndex } from "../domain/vector-index.ts";

export function toImageMessage(image: Image): MessageInitShape<typeof ImageSchema> {
  const { width, height, fileSizeBytes, createdAt, tags, ...rest } = image;
  return {
    ...rest,
    tags: [...tags],
    createdAt: timestampFromDate(createdAt),
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
    ...(fileSizeBytes !== undefined && { fileSizeBytes }),
  };
}

export function toEmbeddingMessage(embedding: StoredEmbedding): MessageInitShape<typeof EmbeddingSchema> {
  const { metadata, createdAt, ...rest } = embedding;
  return { ...rest, createdAt: timestampFromDate(createdAt), ...(metadata && { metadata }) };
}

export function toIndexMessage(index: VectorIndex): MessageInitShape<typeof VectorIndexSchema> {
  const { name, method, operatorClass, valid, sizeBytes, parameters } = index;
  return { name, method, operatorClass, valid, sizeBytes, parameters };
}
