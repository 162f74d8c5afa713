import { KindredError } from "@kindred/errors";
import { COLLECTION, DIMENSIONS } from "./collection.ts";

/** The space that vectors live in. Only vectors of spaces with the same id may be compared. */
export interface EmbeddingSpace {
  id: string;
  provider: string;
  model: string;
  revision: string;
  dimensions: number;
  pooling: string;
  normalization: string;
  maxTokens: number;
}

/** The canonical form of an id; a model's name may hold colons itself. */
const CANONICAL_ID =
  /^(?<provider>[^:]+):(?<model>.+)@(?<revision>[^:@]+):(?<dimensions>\d{1,6}):(?<pooling>[^:]+):(?<normalization>[^:]+):(?<maxTokens>\d{1,9})$/;

export const SPACE_ID_FORM = "provider:model@revision:dimensions:pooling:normalization:max_tokens";

/** The space with this id; undefined when the id does not have the canonical form. */
export function parseSpaceId(id: string): EmbeddingSpace | undefined {
  const parts = CANONICAL_ID.exec(id)?.groups as Record<keyof Omit<EmbeddingSpace, "id">, string> | undefined;
  return parts && { ...parts, id, dimensions: Number(parts.dimensions), maxTokens: Number(parts.maxTokens) };
}

/** Vectors of another space than the collection's: refused, naming both. Without `collection` the images catalogue's. */
export function spaceMismatch(
  collectionSpaceId: string,
  otherSpaceId: string,
  collection = COLLECTION,
): KindredError {
  const subject =
    collection === COLLECTION
      ? "the catalogue's embedding space"
      : `the embedding space of the collection ${JSON.stringify(collection)}`;
  return new KindredError(
    "failed-precondition",
    `${subject} is ${JSON.stringify(collectionSpaceId)}, these vectors live in ` +
      `${JSON.stringify(otherSpaceId)}: vectors of different spaces cannot be compared`,
    { metadata: { collection, catalogue_space_id: collectionSpaceId, space_id: otherSpaceId } },
  );
}

/** @throws KindredError failed-precondition when vectors of this space do not fit into the catalogue's column. */
export function requireDimensions(space: EmbeddingSpace): void {
  if (space.dimensions === DIMENSIONS) return;
  throw new KindredError(
    "failed-precondition",
    `the catalogue keeps vectors of ${DIMENSIONS} dimensions, those of ${JSON.stringify(space.id)} have ${space.dimensions}`,
  );
}
