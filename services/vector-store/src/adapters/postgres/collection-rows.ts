import type { Collection, IndexPolicy, Metric } from "../../domain/collection.ts";
import { imagesLayout, managedLayout, type FieldColumn, type Layout } from "../../domain/layout.ts";
import type { CollectionRow } from "./entities.ts";
import type { TableColumn } from "./table-columns.ts";

/** The layout as far as the row says it: how vectors are stored, and the columns of a user's table, are the catalogue's to say. */
export function rowLayout(row: CollectionRow, schema: string): Layout {
  switch (row.kind) {
    case "images":
      return imagesLayout(schema, "vector");
    case "managed":
      return managedLayout(schema, row.id, row.vectorsGeneration, row.elementType);
    case "registered":
      return {
        vectors: { schema: row.tableSchema ?? "", name: row.tableName ?? "" },
        key: { column: row.keyColumn ?? "", type: row.keyType ?? "text" },
        vector: { column: row.vectorColumn ?? "", storage: row.elementType },
        items: undefined,
        fields: { kind: "columns", columns: new Map() },
        document: row.documentColumn === null ? undefined : { of: "vectors", column: row.documentColumn },
        updatedAt: undefined,
      };
  }
}

/**
 * The collection that a row stands for. What ALTER TABLE can change, and `kindred db upgrade-vectors` does, is taken from the
 * columns as they are; where the table is gone, from the row.
 * @param columns of the table that rowLayout names
 */
export function toCollection(
  row: CollectionRow,
  schema: string,
  columns: readonly TableColumn[],
): Collection {
  const layout = rowLayout(row, schema);
  const vector = columns.find(({ name }) => name === layout.vector.column);
  const storage = vector?.storage ?? layout.vector.storage;
  return {
    name: row.name,
    kind: row.kind,
    dimensions: vector?.dimensions ?? row.dimensions,
    elementType: storage === "json" ? row.elementType : storage,
    metric: row.metric.replace("_", "-") as Metric,
    space: row.space ?? undefined,
    recallTarget: row.recallTarget,
    indexPolicy: toPolicy(row),
    textSearchConfig: row.textSearchConfig ?? undefined,
    hashPartitions: row.hashPartitions ?? undefined,
    reembeddingSpaceId: row.reembeddingSpaceId ?? undefined,
    layout: {
      ...layout,
      vector: { ...layout.vector, storage },
      ...(row.kind === "registered" && {
        key: { ...layout.key, type: columnOf(columns, layout.key.column)?.keyType ?? layout.key.type },
        fields: { kind: "columns", columns: fieldsOf(columns, layout) },
      }),
    },
    createdAt: row.createdAt,
  };
}

const columnOf = (columns: readonly TableColumn[], name: string): TableColumn | undefined =>
  columns.find((column) => column.name === name);

/** Everything but the key and the vector. */
function fieldsOf(
  columns: readonly TableColumn[],
  { key, vector }: Layout,
): ReadonlyMap<string, FieldColumn> {
  const others = columns.filter(({ name }) => name !== key.column && name !== vector.column);
  return new Map(others.map(({ name, field }) => [name, { of: "vectors", column: name, type: field }]));
}

function toPolicy(row: CollectionRow): IndexPolicy {
  return {
    kind: row.indexKind,
    m: row.indexM ?? undefined,
    efConstruction: row.indexEfConstruction ?? undefined,
    lists: row.indexLists ?? undefined,
    quantization: row.indexQuantization ?? undefined,
    maintenance: row.indexMaintenance,
    minRows: row.indexMinRows === null ? undefined : Number(row.indexMinRows),
    indexName: row.indexName ?? undefined,
  };
}

/** The values of `metric` and of the index policy's columns, in their order in the table. */
export function policyValues({
  metric,
  recallTarget,
  indexPolicy,
}: Pick<Collection, "metric" | "recallTarget" | "indexPolicy">): unknown[] {
  const { kind, m, efConstruction, lists, quantization, maintenance, minRows, indexName } = indexPolicy;
  return [
    metric.replace("-", "_"),
    recallTarget,
    kind,
    m ?? null,
    efConstruction ?? null,
    lists ?? null,
    quantization ?? null,
    maintenance,
    minRows ?? null,
    indexName ?? null,
  ];
}
