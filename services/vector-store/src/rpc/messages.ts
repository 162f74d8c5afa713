import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { EmbeddingSchema, ImageSchema, VectorIndexSchema } from "@kindred/contracts/vector-store/v1";
import type { Image, StoredEmbedding } from "../domain/image.ts";
import type { DescribedIndex } from "../domain/indexes/describe-indexes.ts";
import type { VectorIndex } from "../domain/vector-index.ts";
import { METRIC_MESSAGES, QUANTIZATION_MESSAGES } from "./collections/enums.ts";

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

/** What is not known of an index is left out. */
export function toIndexMessage(
  index: VectorIndex & Partial<DescribedIndex>,
): MessageInitShape<typeof VectorIndexSchema> {
  const { name, method, operatorClass, valid, sizeBytes, parameters, built } = index;
  return {
    name,
    method,
    operatorClass,
    valid,
    sizeBytes,
    parameters,
    quantization: QUANTIZATION_MESSAGES[index.quantization],
    metric: METRIC_MESSAGES[index.metric],
    collection: index.collection ?? "",
    building: index.building ?? false,
    owned: index.owned ?? false,
    effort: index.effort ?? 0,
    recall: index.recall ?? 0,
    ...(built && { rowsAtBuild: BigInt(built.rows), builtAt: timestampFromDate(built.at) }),
  };
}
