import type { EmbeddingSpace } from "./embedding-space.ts";
import type { Image, ImageChanges, ImageFields, ImageFilter, JsonObject, StoredEmbedding } from "./image.ts";
import type { PackedVector } from "./packed-vector.ts";
import type { VectorIndex } from "./vector-index.ts";

// What the domain asks of the world. Implementations throw KindredErrors.

/** How long the caller waits, and whether it still does. */
export interface CallLimits {
  signal?: AbortSignal | undefined;
  /** Time that is left, in milliseconds; undefined without a deadline. */
  timeoutMs?: number | undefined;
}

export interface EmbedOptions extends CallLimits {
  /** "bulk" waits while the service is busy, "interactive" fails at once. */
  priority: "interactive" | "bulk";
  /** Fails with failed-precondition unless texts are embedded into this space; undefined: any. */
  expectedSpaceId: string | undefined;
}

/** Turns texts into vectors. */
export interface EmbeddingPort {
  /**
   * One packed vector a text, in their order, row after row.
   * @param texts 1 to 10,000
   */
  embed(
    texts: readonly string[],
    options: EmbedOptions,
  ): Promise<{ vectors: Uint8Array; space: EmbeddingSpace }>;
  /** The space that texts are embedded into now. */
  servedSpace(limits: CallLimits): Promise<EmbeddingSpace>;
  /**
   * The space with this id, or of this model, which texts can be embedded into.
   * @throws KindredError failed-precondition when the space is not served; not-found when the model is not
   */
  spaceOf(wanted: { spaceId: string } | { model: string }, limits: CallLimits): Promise<EmbeddingSpace>;
}

export type ImageKey = { id: bigint } | { imagePath: string };

/** The images of the catalogue, one or a page at a time. */
export interface ImageRepository {
  /** @throws KindredError already-exists when the path is taken. */
  add(fields: ImageFields, limits: CallLimits): Promise<Image>;
  find(key: ImageKey, limits: CallLimits): Promise<Image | undefined>;
  /** The image, and its embeddings by ascending id. */
  findWithEmbeddings(
    key: ImageKey,
    limits: CallLimits,
  ): Promise<{ image: Image; embeddings: StoredEmbedding[] } | undefined>;
  /** Images with ids above `afterId`, ascending. */
  list(query: { filter: ImageFilter; afterId: bigint; limit: number }, limits: CallLimits): Promise<Image[]>;
  /** The image as it is then; undefined when there is none. */
  update(id: bigint, changes: ImageChanges, limits: CallLimits): Promise<Image | undefined>;
}

/** What is stored of an image: its id and the keys of its embeddings. */
export interface KnownImage {
  id: bigint;
  keys: ReadonlySet<string>;
}

/** An embedding ready to be stored. */
export interface EmbeddingRow {
  /** Which of the batch's images it belongs to. */
  image: number;
  key: string;
  vector: PackedVector;
  embeddingType: string;
  modelType: string;
  modelName: string;
  metadata: JsonObject | undefined;
}

/** One transaction's worth of images and embeddings. */
export interface PreparedBatch {
  /** In the caller's order. An id means that the image was stored when the batch was prepared. */
  images: readonly (ImageFields | { id: bigint })[];
  /** No key twice for one image. */
  rows: readonly EmbeddingRow[];
  /** The space of all rows; undefined when there are none. */
  space: EmbeddingSpace | undefined;
  /** The catalogue's when the batch was prepared; undefined when it had none. */
  pinned: EmbeddingSpace | undefined;
  onConflict: "skip" | "error";
}

export interface StoredBatch {
  /** Parallel to the batch's images. */
  images: readonly { id: bigint; added: boolean }[];
  /** Ids of the rows that were added, parallel to the batch's rows; undefined where the image had the key. */
  embeddingIds: readonly (bigint | undefined)[];
}

/** Writes to the catalogue, a transaction at a time. */
export interface CatalogueWriter {
  /** The stored ones of these images, by path. */
  knownByPath(paths: readonly string[], limits: CallLimits): Promise<ReadonlyMap<string, KnownImage>>;
  knownById(id: bigint, limits: CallLimits): Promise<KnownImage | undefined>;
  /**
   * Stores a batch, whole or not at all. Rows whose key the image has are left as they are. The first embedding ever
   * pins the catalogue's space.
   * @throws KindredError already-exists; failed-precondition for another space than the pinned one; aborted when what
   *   the batch was prepared from has changed meanwhile: prepare it again.
   */
  store(batch: PreparedBatch, limits: CallLimits): Promise<StoredBatch>;
  /** How many embeddings went with the image; undefined when there was no such image. */
  remove(imageId: bigint, limits: CallLimits): Promise<number | undefined>;
  /** Brings the planner's statistics up to date after many rows were added. Never rejects: it is no more than useful. */
  refreshStatistics(): Promise<void>;
}

/** Counts and sizes, all from one snapshot. Sizes are in bytes and include indexes. */
export interface CatalogueStatistics {
  totalImages: bigint;
  totalEmbeddings: bigint;
  imagesWithoutEmbeddings: bigint;
  imagesSizeBytes: bigint;
  embeddingsSizeBytes: bigint;
  /** Undefined before the first embedding. */
  spaceId: string | undefined;
  /** By name. */
  indexes: VectorIndex[];
}

export interface StatisticsReader {
  statistics(limits: CallLimits): Promise<CatalogueStatistics>;
}
