import { create, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import {
  EmbeddingFieldsSchema,
  ImageFieldsSchema,
  ImageSchema,
  ImageWithEmbeddingsSchema,
  VectorInputSchema,
  type Embedding,
  type EmbeddingFields,
  type Image,
  type ImageWithEmbeddings,
} from "@kindred/contracts/vector-store/v1";
import { unpackVectors } from "@kindred/rpc";
import { vectorJson } from "../embedding/vector-json.ts";
import { toPlain } from "../plain.ts";
import { isFloat32, packFloats } from "../vectors/vector-text.ts";
import { isObject, messageFromJson, objectOfLine, requireMembers } from "./json-message.ts";

/** An image on its way into the catalogue. */
export interface ImageRecord {
  message: ImageWithEmbeddings;
  /** It shall have no embedding, not even one of its description. */
  isBare: boolean;
}

/** An image as an export has it. */
export interface ExportedImage {
  image: Image;
  embeddings: readonly ExportedEmbedding[];
}

export interface ExportedEmbedding {
  embedding: Embedding;
  /** Little-endian float32; undefined where none was asked for. */
  vector: Uint8Array | undefined;
}

const IMAGE_MEMBERS = new Set([
  "image_path",
  "description",
  "tags",
  "width",
  "height",
  "file_size_bytes",
  "format",
  "source_dataset",
  "embeddings",
  // What the store gives: exports have it, and imports do not look at it.
  "id",
  "created_at",
]);
const EMBEDDING_MEMBERS = new Set([
  "key",
  "vector",
  "text",
  "space_id",
  "embedding_type",
  "model_type",
  "model_name",
  "metadata",
  "id",
  "created_at",
]);
const EXAMPLE = '{"image_path": "cats/1.jpg", "description": "A cat."}';

/**
 * Reads {"image_path", "description", …, "embeddings": [{"key", "vector": [...] | "text", …}]}. Without "embeddings" the description
 * is embedded; with an empty list nothing is.
 * @throws Error that says what is wrong with the line.
 */
export function parseImageLine(line: string): ImageRecord {
  const object = objectOfLine(line, EXAMPLE);
  requireMembers(object, IMAGE_MEMBERS, "an image");
  const { embeddings, id: _id, created_at: _createdAt, ...fields } = object;
  if (embeddings !== undefined && embeddings !== null && !Array.isArray(embeddings))
    throw new Error('"embeddings" has to be a list');
  const read = embeddings?.map((embedding, i) => {
    try {
      return readEmbedding(embedding);
    } catch (error) {
      throw new Error(`"embeddings", number ${i + 1}: ${(error as Error).message}`, { cause: error });
    }
  });
  return imageRecord(fields, read);
}

/** @param embeddings undefined where nobody says anything about them. @throws Error that says what is wrong */
export function imageRecord(fields: JsonObject, embeddings: EmbeddingFields[] | undefined): ImageRecord {
  const image = messageFromJson(ImageFieldsSchema, fields);
  if (image.imagePath === "") throw new Error('"image_path" has to be a text that is not empty');
  return {
    message: create(ImageWithEmbeddingsSchema, { image, embeddings: embeddings ?? [] }),
    isBare: embeddings?.length === 0 && image.description !== "",
  };
}

function readEmbedding(json: JsonValue): EmbeddingFields {
  if (!isObject(json)) throw new Error("it is no object");
  requireMembers(json, EMBEDDING_MEMBERS, "an embedding", 'what else is known of it goes into "metadata"');
  const { vector, text, space_id: spaceId, id: _id, created_at: _createdAt, ...fields } = json;
  if (text !== undefined && text !== null && typeof text !== "string")
    throw new Error('"text" has to be a text');
  if (spaceId !== undefined && spaceId !== null && typeof spaceId !== "string")
    throw new Error('"space_id" has to be a text');
  return embeddingFields(fields, {
    vector: vector === undefined || vector === null ? undefined : packedVector(vector),
    text: text ?? undefined,
    spaceId: spaceId ?? "",
  });
}

/** @throws Error that says what is wrong. */
export function embeddingFields(
  fields: JsonObject,
  source: { vector: Uint8Array | undefined; text: string | undefined; spaceId: string },
): EmbeddingFields {
  const { vector, text, spaceId } = source;
  if ((vector === undefined) === (text === undefined))
    throw new Error('an embedding has a "vector" or a "text", one of them');
  const message = messageFromJson(EmbeddingFieldsSchema, fields);
  message.source =
    vector === undefined
      ? { case: "text", value: text as string }
      : { case: "vector", value: create(VectorInputSchema, { data: vector, spaceId }) };
  return message;
}

function packedVector(vector: JsonValue): Uint8Array {
  if (!Array.isArray(vector)) throw new Error('"vector" has to be an array of numbers');
  for (const [i, value] of vector.entries()) {
    if (!isFloat32(value))
      throw new Error(`"vector" has ${JSON.stringify(value)} at position ${i}, which is no finite float32`);
  }
  return packFloats(vector as number[]).data;
}

/** One line, as imports read it. */
export function imageLine({ image, embeddings }: ExportedImage): string {
  const { embedding_count: _count, ...fields } = toPlain(ImageSchema, image);
  const shown = embeddings.map(embeddingJson);
  return `${JSON.stringify(fields).slice(0, -1)},"embeddings":[${shown.join(",")}]}\n`;
}

function embeddingJson({ embedding, vector }: ExportedEmbedding): string {
  const { key, embeddingType, modelType, modelName, spaceId, metadata } = embedding;
  const text = textOf(embedding);
  const members = {
    key,
    embedding_type: embeddingType,
    model_type: modelType,
    model_name: modelName,
    ...(metadata && { metadata }),
    // Without its vector it can be made again of its text, in whatever space.
    ...(vector ? { space_id: spaceId } : text !== undefined && { text }),
  };
  const said = JSON.stringify(members);
  if (!vector) return said;
  return `${said.slice(0, -1)},"vector":${vectorJson(unpackVectors(vector, vector.byteLength / 4))}}`;
}

/** The text that an embedding was made of; undefined when it was made of something else. */
export function textOf({ metadata }: Embedding): string | undefined {
  const text = metadata?.["text"];
  return typeof text === "string" && text !== "" ? text : undefined;
}
