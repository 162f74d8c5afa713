import type { TableName } from "../../domain/layout.ts";

/** Of the migrations, and of what runs them. */
const NAMES: ReadonlySet<string> = new Set([
  "collections",
  "embedding_spaces",
  "embeddings",
  "images",
  "index_builds",
  "operations",
  "recall_curves",
  "recall_events",
  "recall_measurements",
  "recent_queries",
  "reembedding_changes",
  "schema_migrations",
  "vector_changes",
]);

/** Of managed collections: their items, and their vectors of any generation, whole or in partitions. */
const OF_COLLECTIONS = /^collection_\d+_(items|vectors(_\d+)?(_p\d+)?)$/;

/** Whether a table is one that the store keeps its own things in: its schema has users' tables beside them. */
export function isStoreTable({ schema, name }: TableName, ownSchema: string): boolean {
  return schema === ownSchema && (NAMES.has(name) || OF_COLLECTIONS.test(name));
}
