import type { Collection } from "../collection.ts";
import type { EmbeddingSpace } from "../embedding-space.ts";
import type { TableName } from "../layout.ts";

/** The name that the images catalogue's new table has until it takes the place of `embeddings`. */
const NEXT_EMBEDDINGS = "embeddings_next";

const GENERATION = /^(?<base>collection_\d+_vectors)(?:_(?<generation>\d+))?$/;

/** Where the collection's vectors are to be in the other space. */
export function destinationOf(collection: Collection, space: EmbeddingSpace): Collection {
  return {
    ...collection,
    space,
    dimensions: space.dimensions,
    reembeddingSpaceId: undefined,
    layout: { ...collection.layout, vectors: nextVectors(collection) },
  };
}

/** The collection in which a move began, whose vectors were in this table and space. */
export function originOf(
  moved: Collection,
  vectors: TableName,
  space: EmbeddingSpace | undefined,
): Collection {
  return { ...moved, space, layout: { ...moved.layout, vectors } };
}

function nextVectors({ kind, layout }: Collection): TableName {
  const { schema, name } = layout.vectors;
  if (kind === "images") return { schema, name: NEXT_EMBEDDINGS };
  const { base, generation } = GENERATION.exec(name)?.groups ?? {};
  if (base === undefined) throw new TypeError(`${name} is no table of a managed collection`);
  return { schema, name: `${base}_${Number(generation ?? 1) + 1}` };
}

/** Which of them a managed collection's table of vectors is, from 1. */
export function generationOf({ layout }: Collection): number {
  return Number(GENERATION.exec(layout.vectors.name)?.groups?.["generation"] ?? 1);
}
