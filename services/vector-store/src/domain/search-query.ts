import type { Image, JsonObject } from "./image.ts";
import type { PackedVector } from "./packed-vector.ts";

/** Distance between vectors, as pgvector defines it. */
export type Metric = "cosine" | "l2" | "inner-product" | "l1";

/** Conditions on what is searched; an empty one always holds. */
export interface SearchFilter {
  modelType: string;
  embeddingType: string;
  sourceDataset: string;
}

/** What a caller looks for. */
export interface SearchQuery {
  by:
    | { kind: "text"; text: string }
    | { kind: "vector"; data: PackedVector; spaceId: string }
    /** The image's first embedding; the image itself is no hit. */
    | { kind: "image"; id: bigint };
  /** 1 to 1,000. */
  k: number;
  /** Least similarity of a hit. */
  threshold: number | undefined;
  metric: Metric;
  filter: SearchFilter;
  /** Compare every candidate, even where there is an index. */
  exact: boolean;
  /** hnsw.ef_search, 1 to 1,000; undefined lets the store choose. */
  efSearch: number | undefined;
  /** A hit for each embedding instead of one for each image. */
  hitPerEmbedding: boolean;
}

/** The vector to search with: as it travelled, or in the database's own binary form. */
export type QueryVector = { packed: PackedVector } | { stored: Uint8Array };

/** How candidates are found. */
export type Scan =
  | { method: "exact" }
  | {
      method: "hnsw";
      indexName: string;
      /** hnsw.ef_search. */
      efSearch: number;
      /** An index scan gives up after this many rows. */
      maxScanTuples: number;
    };

/** One statement's worth of searching. */
export interface NearestQuery {
  vector: QueryVector;
  metric: Metric;
  filter: SearchFilter;
  excludedImage: bigint | undefined;
  hitPerEmbedding: boolean;
  k: number;
  /** The nearest so many embeddings are found first, and hits are made of them. At least k. */
  candidateLimit: number;
  scan: Scan;
}

export interface Hit {
  image: Image;
  /** As pgvector defines it. */
  distance: number;
  embeddingId: bigint;
  metadata: JsonObject | undefined;
}

export function isFiltered(filter: SearchFilter): boolean {
  return filter.modelType !== "" || filter.embeddingType !== "" || filter.sourceDataset !== "";
}

/**
 * Similarity for a distance of pgvector: cosine 1 - d; inner product -d, since the operator <#> is its negative; L2 and
 * L1 1 / (1 + d). It falls as the distance grows, for every metric.
 */
export function similarityOf(metric: Metric, distance: number): number {
  switch (metric) {
    case "cosine":
      return 1 - distance;
    case "inner-product":
      // -0 would be an odd thing to show.
      return 0 - distance;
    case "l2":
    case "l1":
      return 1 / (1 + distance);
  }
}
