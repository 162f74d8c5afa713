import type { Metric } from "./collection.ts";
import type { IndexMethod, Quantization } from "./indexes/index-spec.ts";

/** A vector index as it is in the database. */
export interface VectorIndex {
  name: string;
  /** pg_class.oid: another one after it was built again. */
  oid: number;
  method: IndexMethod;
  quantization: Quantization;
  /** Searches by it can scan the index. */
  metric: Metric;
  /** E.g. "vector_cosine_ops". */
  operatorClass: string;
  /** False while it is being built, and for what a killed build leaves behind. */
  valid: boolean;
  /** Whether it holds only some of the rows. */
  partial: boolean;
  sizeBytes: bigint;
  /** Build parameters with pgvector's defaults filled in, e.g. m and ef_construction. */
  parameters: Record<string, string>;
}

/** The plain HNSW index of the images that EnsureIndex builds. */
export const INDEX_NAME = "embeddings_embedding_hnsw_idx";
