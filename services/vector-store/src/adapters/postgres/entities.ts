import { EntitySchema } from "typeorm";
import type { Collection, ElementType, IndexPolicy } from "../../domain/collection.ts";
import type { Quantization } from "../../domain/indexes/index-spec.ts";
import type { KeyType } from "../../domain/layout.ts";

/** A row of `images` as `pg` gives it: 64-bit integers are text. */
export interface ImageRow {
  id: string;
  imagePath: string;
  description: string | null;
  tags: string[] | null;
  width: number | null;
  height: number | null;
  fileSizeBytes: string | null;
  format: string | null;
  sourceDataset: string | null;
  createdAt: Date;
  embeddingCount: string;
}

export const ImageEntity = new EntitySchema<ImageRow>({
  name: "Image",
  tableName: "images",
  columns: {
    id: { type: "bigint", primary: true, generated: "increment" },
    imagePath: { name: "image_path", type: "varchar", length: 500, unique: true },
    description: { type: "text", nullable: true },
    tags: { type: "text", array: true, nullable: true },
    width: { type: "integer", nullable: true },
    height: { type: "integer", nullable: true },
    fileSizeBytes: { name: "file_size_bytes", type: "bigint", nullable: true },
    format: { type: "varchar", length: 10, nullable: true },
    sourceDataset: { name: "source_dataset", type: "varchar", length: 100, nullable: true },
    createdAt: { name: "created_at", type: "timestamptz", insert: false, update: false },
    embeddingCount: {
      type: "bigint",
      virtualProperty: true,
      query: (alias) => `SELECT count(*) FROM embeddings WHERE image_id = ${alias}.id`,
    },
  },
});

/** A row of `embeddings` without its vector, which TypeORM would turn into text and back. */
export interface EmbeddingRow {
  id: string;
  imageId: string;
  modelType: string | null;
  modelName: string | null;
  embeddingType: string | null;
  metadata: unknown;
  createdAt: Date;
  key: string;
  spaceId: string | null;
}

export const EmbeddingEntity = new EntitySchema<EmbeddingRow>({
  name: "Embedding",
  tableName: "embeddings",
  columns: {
    id: { type: "bigint", primary: true, generated: "increment" },
    imageId: { name: "image_id", type: "bigint" },
    modelType: { name: "model_type", type: "varchar", length: 100, nullable: true },
    modelName: { name: "model_name", type: "varchar", length: 200, nullable: true },
    embeddingType: { name: "embedding_type", type: "varchar", length: 50, nullable: true },
    metadata: { name: "embedding_metadata", type: "jsonb", nullable: true },
    createdAt: { name: "created_at", type: "timestamptz", insert: false, update: false },
    key: { name: "embedding_key", type: "varchar", length: 200 },
    spaceId: { name: "space_id", type: "text", nullable: true },
  },
});

export interface SpaceRow {
  id: string;
  provider: string;
  model: string;
  revision: string;
  dimensions: number;
  pooling: string;
  normalization: string;
  maxTokens: number;
}

export const SpaceEntity = new EntitySchema<SpaceRow>({
  name: "EmbeddingSpace",
  tableName: "embedding_spaces",
  columns: {
    id: { type: "text", primary: true },
    provider: { type: "text" },
    model: { type: "text" },
    revision: { type: "text" },
    dimensions: { type: "integer" },
    pooling: { type: "text" },
    normalization: { type: "text" },
    maxTokens: { name: "max_tokens", type: "integer" },
  },
});

export interface CollectionRow {
  name: string;
  dimensions: number;
  /** As the contract spells it, in lower case. */
  metric: string;
  recallTarget: number;
  createdAt: Date;
  /** Null before the first vector. */
  space: SpaceRow | null;
  /** Part of the names of a managed collection's tables. */
  id: number;
  kind: Collection["kind"];
  elementType: ElementType;
  indexKind: IndexPolicy["kind"];
  indexM: number | null;
  indexEfConstruction: number | null;
  indexLists: number | null;
  indexQuantization: Quantization | null;
  indexMaintenance: IndexPolicy["maintenance"];
  /** As PostgreSQL writes it. */
  indexMinRows: string | null;
  indexName: string | null;
  hashPartitions: number | null;
  /** Part of the name of a managed collection's vectors' table, but for the first one. */
  vectorsGeneration: number;
  reembeddingSpaceId: string | null;
  textSearchConfig: string | null;
  /** This and what follows, as far as it is there, are of registered ones only. */
  tableSchema: string | null;
  tableName: string | null;
  keyColumn: string | null;
  keyType: KeyType | null;
  vectorColumn: string | null;
  documentColumn: string | null;
}

export const CollectionEntity = new EntitySchema<CollectionRow>({
  name: "Collection",
  tableName: "collections",
  columns: {
    name: { type: "text", primary: true },
    dimensions: { type: "integer" },
    metric: { type: "text" },
    recallTarget: { name: "recall_target", type: "double precision" },
    createdAt: { name: "created_at", type: "timestamptz", insert: false, update: false },
    id: { type: "integer", generated: "increment" },
    kind: { type: "text" },
    elementType: { name: "element_type", type: "text" },
    indexKind: { name: "index_kind", type: "text" },
    indexM: { name: "index_m", type: "integer", nullable: true },
    indexEfConstruction: { name: "index_ef_construction", type: "integer", nullable: true },
    indexLists: { name: "index_lists", type: "integer", nullable: true },
    indexQuantization: { name: "index_quantization", type: "text", nullable: true },
    indexMaintenance: { name: "index_maintenance", type: "text" },
    indexMinRows: { name: "index_min_rows", type: "bigint", nullable: true },
    indexName: { name: "index_name", type: "text", nullable: true },
    hashPartitions: { name: "hash_partitions", type: "integer", nullable: true },
    vectorsGeneration: { name: "vectors_generation", type: "integer" },
    reembeddingSpaceId: { name: "reembedding_space_id", type: "text", nullable: true },
    textSearchConfig: { name: "text_search_config", type: "text", nullable: true },
    tableSchema: { name: "table_schema", type: "text", nullable: true },
    tableName: { name: "table_name", type: "text", nullable: true },
    keyColumn: { name: "key_column", type: "text", nullable: true },
    keyType: { name: "key_type", type: "text", nullable: true },
    vectorColumn: { name: "vector_column", type: "text", nullable: true },
    documentColumn: { name: "document_column", type: "text", nullable: true },
  },
  relations: {
    space: {
      type: "many-to-one",
      target: "EmbeddingSpace",
      joinColumn: { name: "space_id" },
      nullable: true,
    },
  },
});

export const entities = [ImageEntity, EmbeddingEntity, SpaceEntity, CollectionEntity];
