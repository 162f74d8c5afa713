import type {
  EmbeddingFields as EmbeddingFieldsMessage,
  VectorInput,
} from "@kindred/contracts/vector-store/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { ImageFields } from "../domain/image.ts";
import {
  DEFAULT_EMBEDDING_TYPE,
  derivedKey,
  descriptionEmbedding,
  type EmbeddingSource,
  type NewEmbedding,
} from "../domain/new-image.ts";
import { DIMENSIONS } from "../domain/collection.ts";
import { vectorProblem } from "../domain/packed-vector.ts";
import { checkMetadata, checkText, MAX_SPACE_ID_CHARACTERS } from "./text-checks.ts";

const IMAGE_VECTORS = { elementType: "vector", dimensions: DIMENSIONS } as const;
const MAX_KEY_CHARACTERS = 200;
export const MAX_EMBEDDING_TYPE_CHARACTERS = 50;
export const MAX_MODEL_TYPE_CHARACTERS = 100;
const MAX_MODEL_NAME_CHARACTERS = 200;

/** The embeddings of a request, or that of the description where there are none. */
export function readEmbeddings(
  messages: readonly EmbeddingFieldsMessage[],
  image: ImageFields | undefined,
  path: string,
  checks: FieldChecks,
): NewEmbedding[] {
  if (messages.length === 0) return image?.description ? [descriptionEmbedding(image.description)] : [];
  const embeddings = messages.map((message, i) => readEmbedding(message, `${path}[${i}]`, checks));
  checkKeys(messages, path, checks);
  // Only what has violations lacks a source.
  return embeddings.filter((embedding) => embedding !== undefined);
}

function readEmbedding(
  message: EmbeddingFieldsMessage,
  path: string,
  checks: FieldChecks,
): NewEmbedding | undefined {
  const { key, embeddingType, modelType, modelName, metadata } = message;
  checkText(checks, `${path}.key`, key, { maxCharacters: MAX_KEY_CHARACTERS });
  checkText(checks, `${path}.embedding_type`, embeddingType, {
    maxCharacters: MAX_EMBEDDING_TYPE_CHARACTERS,
  });
  checkText(checks, `${path}.model_type`, modelType, { maxCharacters: MAX_MODEL_TYPE_CHARACTERS });
  checkText(checks, `${path}.model_name`, modelName, { maxCharacters: MAX_MODEL_NAME_CHARACTERS });
  if (metadata) checkMetadata(checks, `${path}.metadata`, metadata);
  const source = readSource(message, path, checks);
  return (
    source && {
      key: key || derivedKey(source),
      source,
      embeddingType: embeddingType || DEFAULT_EMBEDDING_TYPE,
      modelType,
      modelName,
      metadata,
    }
  );
}

function readSource(
  { source }: EmbeddingFieldsMessage,
  path: string,
  checks: FieldChecks,
): EmbeddingSource | undefined {
  switch (source.case) {
    case "text":
      checkText(checks, `${path}.text`, source.value, { required: true });
      return { kind: "text", text: source.value };
    case "vector":
      return { kind: "vector", ...readVector(source.value, `${path}.vector`, checks) };
    case undefined:
      checks.add(`${path}.source`, "is required: text or vector");
      return undefined;
  }
}

export function readVector(
  message: VectorInput,
  path: string,
  checks: FieldChecks,
): { data: Uint8Array; spaceId: string } {
  const problem = vectorProblem(message.data, IMAGE_VECTORS, "cosine");
  if (problem !== undefined) checks.add(`${path}.data`, problem);
  checkText(checks, `${path}.space_id`, message.spaceId, { maxCharacters: MAX_SPACE_ID_CHARACTERS });
  return { data: message.data, spaceId: message.spaceId };
}

/** Keys that callers give are theirs to keep apart; derived ones are equal for equal texts, which are one embedding. */
function checkKeys(messages: readonly EmbeddingFieldsMessage[], path: string, checks: FieldChecks): void {
  const first = new Map<string, number>();
  for (const [i, { key }] of messages.entries()) {
    if (key === "") continue;
    const other = first.get(key);
    if (other === undefined) first.set(key, i);
    else checks.add(`${path}[${i}].key`, `must be unique within the image, is that of ${path}[${other}] too`);
  }
}
