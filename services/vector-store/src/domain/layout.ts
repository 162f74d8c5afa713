/** A table by its schema and name as the catalogue has them: not quoted. */
export interface TableName {
  schema: string;
  name: string;
}

export type KeyType = "text" | "uuid" | "smallint" | "integer" | "bigint";

/**
 * What a column holds, as far as conditions are concerned: "number" has fractions, "integer" has not; "other" can only be
 * there or not.
 */
export type FieldType =
  "text" | "uuid" | "number" | "integer" | "boolean" | "timestamp" | "date" | "text-array" | "json" | "other";

/** Which of a collection's two tables a column is in. In statements their aliases are `v` and `i`. */
export type TableRole = "vectors" | "items";

export interface FieldColumn {
  of: TableRole;
  column: string;
  type: FieldType;
}

/**
 * Where a collection's vectors, keys and fields are: one shape for the images catalogue, for tables that the store made,
 * and for those of users. What changes often stands in another table than the vectors, whose rows then never move: an
 * update of a row that an HNSW index covers is about a hundred times slower (pgvector#875).
 */
export interface Layout {
  vectors: TableName;
  /** Column of `vectors`; unique, not null. */
  key: { column: string; type: KeyType };
  /** Column of `vectors`. */
  vector: { column: string; storage: "vector" | "halfvec" | "bit" | "json" };
  /** The second table; undefined when everything is beside the vector. */
  items:
    | {
        table: TableName;
        /** Unique column of `items` … */
        column: string;
        /** … that has the value of this column of `vectors`. */
        on: string;
        /** Whether every vector has its row there; otherwise one that lacks it has no fields and no document. */
        complete: boolean;
      }
    | undefined;
  /** Fields are members of one JSON object, or columns; the first segment of a path is a column's name then. */
  fields:
    | { kind: "json"; of: TableRole; column: string }
    | { kind: "columns"; columns: ReadonlyMap<string, FieldColumn> };
  /** Text that full-text searches look in. */
  document: { of: TableRole; column: string } | undefined;
  /** Column of `vectors` with the time of its last change; undefined when there is none. */
  updatedAt: string | undefined;
}

/** A column of the images catalogue by which its hits are grouped. */
export const IMAGE_ID_FIELD = "image_id";

/** The images catalogue: embeddings with their images' columns. */
export function imagesLayout(schema: string, storage: "vector" | "json"): Layout {
  const v = (column: string, type: FieldType): FieldColumn => ({ of: "vectors", column, type });
  const i = (column: string, type: FieldType): FieldColumn => ({ of: "items", column, type });
  return {
    vectors: { schema, name: "embeddings" },
    key: { column: "id", type: "bigint" },
    vector: { column: "embedding", storage },
    items: { table: { schema, name: "images" }, column: "id", on: "image_id", complete: true },
    fields: {
      kind: "columns",
      columns: new Map([
        [IMAGE_ID_FIELD, v("image_id", "integer")],
        ["embedding_key", v("embedding_key", "text")],
        ["embedding_type", v("embedding_type", "text")],
        ["model_type", v("model_type", "text")],
        ["model_name", v("model_name", "text")],
        ["space_id", v("space_id", "text")],
        ["metadata", v("embedding_metadata", "json")],
        ["created_at", v("created_at", "timestamp")],
        ["image_path", i("image_path", "text")],
        ["description", i("description", "text")],
        ["tags", i("tags", "text-array")],
        ["width", i("width", "integer")],
        ["height", i("height", "integer")],
        ["file_size_bytes", i("file_size_bytes", "integer")],
        ["format", i("format", "text")],
        ["source_dataset", i("source_dataset", "text")],
      ]),
    },
    document: { of: "items", column: "description" },
    updatedAt: "created_at",
  };
}

/**
 * Tables that the store makes for a collection. The vectors' one is another after each change of the embedding space: a search that
 * began before the change ends in the table that its query vector is for.
 */
export function managedLayout(
  schema: string,
  id: number,
  generation: number,
  storage: Layout["vector"]["storage"],
): Layout {
  return {
    vectors: { schema, name: `collection_${id}_vectors${generation === 1 ? "" : `_${generation}`}` },
    key: { column: "key", type: "text" },
    vector: { column: "embedding", storage },
    items: { table: { schema, name: `collection_${id}_items` }, column: "key", on: "key", complete: false },
    fields: { kind: "json", of: "items", column: "metadata" },
    document: { of: "items", column: "document" },
    updatedAt: "updated_at",
  };
}
