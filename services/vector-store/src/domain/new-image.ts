import { createHash } from "node:crypto";
import type { ImageFields, JsonObject } from "./image.ts";
import type { PackedVector } from "./packed-vector.ts";

/** What an embedding is made of. */
export type EmbeddingSource =
  | { kind: "text"; text: string }
  | {
      kind: "vector";
      data: PackedVector;
      /** Empty: the caller vouches that it is the catalogue's. */
      spaceId: string;
    };

/** An embedding that a caller wants to be stored. */
export interface NewEmbedding {
  /** Unique within the image. */
  key: string;
  source: EmbeddingSource;
  embeddingType: string;
  /** Empty: for texts the embedding service's model is named. */
  modelType: string;
  modelName: string;
  metadata: JsonObject | undefined;
}

/** An image that may be stored already, and the embeddings that it should have. */
export interface NewImage {
  target: ImageTarget;
  embeddings: readonly NewEmbedding[];
}

/** Either a whole image, which is added when its path is not in the catalogue, or one that has to be there. */
export type ImageTarget = { kind: "fields"; fields: ImageFields } | { kind: "stored"; id: bigint };

/** Images that are stored together, whole or not at all. */
export interface ImageBatch {
  images: readonly NewImage[];
  /** What to do with an image_path that is in the catalogue already. */
  onConflict: "skip" | "error";
  /** Path of an embedding in the request that it came with, for errors; e.g. `images[3].embeddings[0]`. */
  pathOf: (image: number, embedding: number) => string;
}

export const DEFAULT_EMBEDDING_TYPE = "text";

/** Key of the embedding that is made of an image's description, when a caller gives no embeddings. */
const DESCRIPTION_KEY = "description";

/** The embedding of an image's description. */
export function descriptionEmbedding(description: string): NewEmbedding {
  return {
    key: DESCRIPTION_KEY,
    source: { kind: "text", text: description },
    embeddingType: DEFAULT_EMBEDDING_TYPE,
    modelType: "",
    modelName: "",
    metadata: undefined,
  };
}

/** The key of an embedding whose caller gave none: equal texts and equal vectors have equal keys. */
export function derivedKey(source: EmbeddingSource): string {
  const hash = createHash("sha256").update(source.kind === "text" ? source.text : source.data);
  return `${source.kind}-sha256-${hash.digest("hex")}`;
}
