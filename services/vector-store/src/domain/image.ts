export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** What callers write of an image. Texts are empty, and numbers undefined, where there is none. */
export interface ImageFields {
  /** The caller's key. */
  imagePath: string;
  description: string;
  /** In the caller's order. */
  tags: readonly string[];
  /** In pixels. */
  width: number | undefined;
  /** In pixels. */
  height: number | undefined;
  fileSizeBytes: bigint | undefined;
  format: string;
  sourceDataset: string;
}

/** An image as it is stored. */
export interface Image extends ImageFields {
  id: bigint;
  createdAt: Date;
  embeddingCount: number;
}

/** New values of an image; what is absent stays. */
export type ImageChanges = Partial<Omit<ImageFields, "imagePath">>;

/** An embedding as it is stored, without its vector. */
export interface StoredEmbedding {
  id: bigint;
  key: string;
  embeddingType: string;
  modelType: string;
  modelName: string;
  /** Empty for rows that something else than this service wrote. */
  spaceId: string;
  metadata: JsonObject | undefined;
  createdAt: Date;
}

/** Conditions that all have to hold; an empty one always holds. */
export interface ImageFilter {
  sourceDataset: string;
  /** The image has all of them. */
  tags: readonly string[];
}
