import type { JsonObject } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { EmbeddingFields } from "@kindred/contracts/vector-store/v1";
import type { ParquetColumn } from "@kindred/parquet";
import { unpackVectors } from "@kindred/rpc";
import {
  embeddingFields,
  imageRecord,
  textOf,
  type ExportedEmbedding,
  type ExportedImage,
  type ImageRecord,
} from "./image-record.ts";
import type { KnownColumns, RowValues } from "./parquet-rows.ts";
import { toColumns, type ParquetFormat } from "./parquet-sink.ts";
import { integerValue, objectValue, textsValue, textValue, vectorValue } from "./parquet-values.ts";

// A row is an embedding with its image; rows of one image follow each other. An image without embeddings has one row without a key.

const COLUMNS: readonly ParquetColumn[] = [
  { name: "image_path", type: "string", nullable: false },
  { name: "description", type: "string", nullable: true },
  { name: "tags", type: "strings", nullable: true },
  { name: "width", type: "int32", nullable: true },
  { name: "height", type: "int32", nullable: true },
  { name: "file_size_bytes", type: "int64", nullable: true },
  { name: "format", type: "string", nullable: true },
  { name: "source_dataset", type: "string", nullable: true },
  { name: "created_at", type: "timestamp", nullable: true },
  { name: "embedding_key", type: "string", nullable: true },
  { name: "embedding_type", type: "string", nullable: true },
  { name: "model_type", type: "string", nullable: true },
  { name: "model_name", type: "string", nullable: true },
  { name: "space_id", type: "string", nullable: true },
  { name: "embedding_metadata", type: "json", nullable: true },
  { name: "text", type: "string", nullable: true },
  { name: "vector", type: "float32s", nullable: true },
];

export const IMAGE_COLUMNS: KnownColumns = {
  what: "an image",
  required: ["image_path"],
  optional: [...COLUMNS.map(({ name }) => name).filter((name) => name !== "image_path"), "id"],
  remedy: "Leave them out; what else is known of an embedding is JSON in embedding_metadata.",
};

interface ImageRow {
  image: ExportedImage["image"];
  embedding: ExportedEmbedding | undefined;
}

export function imageParquet(): ParquetFormat<readonly ExportedImage[]> {
  return {
    columns: COLUMNS,
    metadata: { "kindred.content": "images" },
    batch: (images) =>
      toColumns<ImageRow>(
        images.flatMap(({ image, embeddings }): ImageRow[] =>
          embeddings.length === 0
            ? [{ image, embedding: undefined }]
            : embeddings.map((embedding) => ({ image, embedding })),
        ),
        {
          image_path: ({ image }) => image.imagePath,
          description: ({ image }) => image.description,
          tags: ({ image }) => image.tags,
          width: ({ image }) => image.width,
          height: ({ image }) => image.height,
          file_size_bytes: ({ image }) => image.fileSizeBytes,
          format: ({ image }) => image.format,
          source_dataset: ({ image }) => image.sourceDataset,
          created_at: ({ image }) => image.createdAt && timestampDate(image.createdAt),
          embedding_key: ({ embedding }) => embedding?.embedding.key,
          embedding_type: ({ embedding }) => embedding?.embedding.embeddingType,
          model_type: ({ embedding }) => embedding?.embedding.modelType,
          model_name: ({ embedding }) => embedding?.embedding.modelName,
          space_id: ({ embedding }) => (embedding?.vector ? embedding.embedding.spaceId : undefined),
          embedding_metadata: ({ embedding }) => embedding?.embedding.metadata,
          text: ({ embedding }) => (embedding && !embedding.vector ? textOf(embedding.embedding) : undefined),
          vector: ({ embedding }) =>
            embedding?.vector && unpackVectors(embedding.vector, embedding.vector.byteLength / 4),
        },
      ),
  };
}

/** The image of a row, and its embedding where it has one. */
export interface ReadImageRow {
  path: string;
  fields: JsonObject;
  embedding: EmbeddingFields | undefined;
}

/** @throws Error that says what is wrong with the row. */
export function readImageRow(row: RowValues): ReadImageRow {
  const path = textValue(row, "image_path") ?? "";
  const vector = vectorValue(row, "vector");
  const text = textValue(row, "text");
  const key = textValue(row, "embedding_key");
  const isThere = vector !== undefined || text !== undefined || key !== undefined;
  return {
    path,
    fields: given({
      image_path: path,
      description: textValue(row, "description"),
      tags: textsValue(row, "tags"),
      width: integerValue(row, "width"),
      height: integerValue(row, "height"),
      file_size_bytes: integerValue(row, "file_size_bytes"),
      format: textValue(row, "format"),
      source_dataset: textValue(row, "source_dataset"),
    }),
    embedding: isThere
      ? embeddingFields(
          given({
            key,
            embedding_type: textValue(row, "embedding_type"),
            model_type: textValue(row, "model_type"),
            model_name: textValue(row, "model_name"),
            metadata: objectValue(row, "embedding_metadata"),
          }),
          { vector, text, spaceId: textValue(row, "space_id") ?? "" },
        )
      : undefined,
  };
}

/** @param saysEmbeddings whether the file has columns for embeddings, so that an image without any shall have none */
export function imageOfRows(rows: readonly ReadImageRow[], saysEmbeddings: boolean): ImageRecord {
  const embeddings = rows.flatMap(({ embedding }) => (embedding ? [embedding] : []));
  return imageRecord(
    (rows[0] as ReadImageRow).fields,
    embeddings.length > 0 || saysEmbeddings ? embeddings : undefined,
  );
}

function given(members: Readonly<Record<string, JsonObject[string] | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(members).filter(
      (member): member is [string, JsonObject[string]] => member[1] !== undefined,
    ),
  );
}
