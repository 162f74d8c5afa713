import type { Collection } from "./collection.ts";
import { servesMetric } from "./search/search-plan.ts";
import type { VectorIndex } from "./vector-index.ts";

/** How a search without filter by the collection's own metric would be answered. */
export function plannedMethod(
  collection: Collection,
  indexes: readonly VectorIndex[],
): "exact" | "hnsw" | "ivfflat" | "in_process" {
  if (collection.layout.vector.storage === "json") return "in_process";
  const serving = indexes.filter((index) => servesMetric(index, collection.metric, collection));
  return (
    (["hnsw", "ivfflat"] as const).find((method) => serving.some((index) => index.method === method)) ??
    "exact"
  );
}
