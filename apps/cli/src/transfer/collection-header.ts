import { create, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import {
  CreateCollectionRequestSchema,
  type Collection,
  type CreateCollectionRequest,
} from "@kindred/contracts/vector-store/v1";
import { toPlain } from "../plain.ts";
import { isObject, messageFromJson } from "./json-message.ts";

// What a collection is like, in front of its items: the first line of JSON lines, {"collection": {…}}, or a text in the footer of a
// Parquet file. Its members are those of CreateCollectionRequest.

export const COLLECTION_KEY = "kindred.collection";
const BEGINNING = '{"collection":';

/** The request that creates a collection of this shape and policy; of a registered table, too, though as one of the store's own. */
export function definitionOf(collection: Collection): CreateCollectionRequest {
  const { name, dimensions, elementType, metric, spaceId, recallTarget, textSearchConfig } = collection;
  return create(CreateCollectionRequestSchema, {
    name,
    dimensions,
    elementType,
    metric,
    spaceId,
    recallTarget,
    hashPartitions: collection.hashPartitions,
    ...(collection.indexPolicy && { indexPolicy: collection.indexPolicy }),
    ...(textSearchConfig !== "" && { textSearchConfig }),
  });
}

export function definitionJson(collection: Collection): JsonObject {
  return toPlain(CreateCollectionRequestSchema, definitionOf(collection));
}

/** Ends with a newline. */
export function collectionLine(collection: Collection): string {
  return `${BEGINNING}${JSON.stringify(definitionJson(collection))}}\n`;
}

/** Whether a line, which has to be the first one, is no item but says what the collection is like. */
export function isCollectionLine(line: string): boolean {
  return line.startsWith(BEGINNING);
}

/** @throws Error that says what is wrong with it */
export function readDefinition(text: string): CreateCollectionRequest {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new Error("it is no JSON", { cause: error });
  }
  const definition = isObject(json) && isObject(json["collection"]) ? json["collection"] : json;
  if (!isObject(definition)) throw new Error("it is no JSON object");
  return messageFromJson(CreateCollectionRequestSchema, definition);
}
