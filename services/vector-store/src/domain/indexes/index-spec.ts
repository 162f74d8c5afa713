import type { Collection, ElementType, Metric } from "../collection.ts";

export type IndexMethod = "hnsw" | "ivfflat" | "diskann";

/**
 * What an index holds of the vectors: all of them; 16-bit floats (an index of the expression column::halfvec(n)); or one bit a number
 * (of binary_quantize(column)::bit(n)), whose candidates are compared again by their whole vectors.
 */
export type Quantization = "none" | "halfvec" | "binary";

/** How an index is built. */
export type BuildParameters =
  | { method: "hnsw"; m: number; efConstruction: number }
  | { method: "ivfflat"; lists: number }
  /** vectorscale's; undefined leaves it to that. */
  | { method: "diskann"; numNeighbors: number | undefined; searchListSize: number | undefined };

/** A vector index as it should be. */
export type IndexSpec = BuildParameters & { quantization: Quantization; metric: Metric };

/** A wish for one: what is undefined, the store chooses. */
export interface IndexWish {
  method: IndexMethod | undefined;
  quantization: Quantization | undefined;
  metric: Metric | undefined;
  m: number | undefined;
  efConstruction: number | undefined;
  lists: number | undefined;
  numNeighbors: number | undefined;
  searchListSize: number | undefined;
}

/** Leaves everything to the store. */
export const ANY_INDEX: IndexWish = {
  method: undefined,
  quantization: undefined,
  metric: undefined,
  m: undefined,
  efConstruction: undefined,
  lists: undefined,
  numNeighbors: undefined,
  searchListSize: undefined,
};

/** Most dimensions that an index can hold (pgvector's README; vectorscale's for DiskANN). */
export const MAX_INDEXED_DIMENSIONS: Record<ElementType, number> = {
  vector: 2000,
  halfvec: 4000,
  bit: 64_000,
};
export const MAX_DISKANN_DIMENSIONS = 16_000;

/** The type that the index compares. */
export function indexedType(
  { elementType }: Pick<Collection, "elementType">,
  quantization: Quantization,
): ElementType {
  switch (quantization) {
    case "none":
      return elementType;
    case "halfvec":
      return "halfvec";
    case "binary":
      return "bit";
  }
}
