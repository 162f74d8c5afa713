import { KindredError } from "@kindred/errors";
import type { EmbeddingSpace } from "./embedding-space.ts";
import type { IndexMethod, Quantization } from "./indexes/index-spec.ts";
import type { Layout } from "./layout.ts";

/** The images catalogue's name: the collection that is always there. */
export const COLLECTION = "images";

/** Length of every vector in the catalogue: the width of the column embeddings.embedding. */
export const DIMENSIONS = 384;

export const VECTOR_BYTES = DIMENSIONS * Float32Array.BYTES_PER_ELEMENT;

/** What the numbers of a vector are stored as: pgvector's types. */
export type ElementType = "vector" | "halfvec" | "bit";

/** Distance between vectors, as pgvector defines it; the last two are for bits only, the others for all else. */
export type Metric = "cosine" | "l2" | "inner-product" | "l1" | "hamming" | "jaccard";

/** Most dimensions that a column of the type can have (pgvector's README). */
export const MAX_DIMENSIONS: Record<ElementType, number> = { vector: 16_000, halfvec: 16_000, bit: 64_000 };

/** Every statement opens and locks all of them with their indexes. */
export const MAX_HASH_PARTITIONS = 256;

/** What a collection's vector index should be like; what is undefined, the store chooses. */
export interface IndexPolicy {
  kind: "auto" | "none" | IndexMethod;
  m: number | undefined;
  efConstruction: number | undefined;
  lists: number | undefined;
  quantization: Quantization | undefined;
  /** Who begins to build, tune and rebuild: whoever calls, or the store once there are minRows and writing has paused. */
  maintenance: "manual" | "automatic";
  /** Undefined: as the service is configured. */
  minRows: number | undefined;
  /** Of the index in PostgreSQL; undefined: by the store's rule. */
  indexName: string | undefined;
}

/** A collection of vectors, and where they are. */
export interface Collection {
  name: string;
  kind: "images" | "managed" | "registered";
  dimensions: number;
  elementType: ElementType;
  /** What searches use unless they say otherwise. */
  metric: Metric;
  /** Undefined before the first vector of a collection that was given none, and where nobody knows. */
  space: EmbeddingSpace | undefined;
  /** recall@10 that index scans should reach. */
  recallTarget: number;
  indexPolicy: IndexPolicy;
  /** PostgreSQL's text search configuration for the documents; undefined when it has none. */
  textSearchConfig: string | undefined;
  /** Into how many tables the vectors are spread by a hash of the key; undefined when they are in one. */
  hashPartitions: number | undefined;
  /** The space that it is being moved into; undefined when it is not. */
  reembeddingSpaceId: string | undefined;
  layout: Layout;
  createdAt: Date;
}

export function metricsOf(elementType: ElementType): readonly Metric[] {
  return elementType === "bit" ? ["hamming", "jaccard"] : ["cosine", "l2", "inner-product", "l1"];
}

/** Bytes of one vector as it travels: little-endian float32 also for halfvec; bits packed into whole bytes. */
export function vectorBytes({
  elementType,
  dimensions,
}: Pick<Collection, "elementType" | "dimensions">): number {
  return elementType === "bit" ? Math.ceil(dimensions / 8) : dimensions * Float32Array.BYTES_PER_ELEMENT;
}

/**
 * Similarity for a distance of pgvector: cosine and Jaccard 1 - d; inner product -d, since the operator <#> is its negative; L2
 * and L1 1 / (1 + d); Hamming the share of equal bits. It falls as the distance grows, for every metric.
 */
export function similarityOf(metric: Metric, distance: number, dimensions: number): number {
  switch (metric) {
    case "cosine":
    case "jaccard":
      return 1 - distance;
    case "inner-product":
      // -0 would be an odd thing to show.
      return 0 - distance;
    case "l2":
    case "l1":
      return 1 / (1 + distance);
    case "hamming":
      return 1 - distance / dimensions;
  }
}

export function noCollection(name: string): KindredError {
  return new KindredError("not-found", `there is no collection ${JSON.stringify(name)}`);
}
