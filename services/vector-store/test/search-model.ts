import type { Metric } from "../src/domain/collection.ts";
import { similarityOf } from "../src/domain/collection.ts";
import { evaluateFilter } from "../src/domain/evaluate-filter.ts";
import type { FieldPath, Filter } from "../src/domain/filter.ts";
import type { JsonObject, JsonValue } from "../src/domain/image.ts";
import { distanceOf, type Numbers } from "./reference-distance.ts";

// What a search should give, by looking at every item: for comparison with what the service gives.

export interface ModelItem {
  key: string;
  /** Undefined for a row of a user's table whose vector is NULL. */
  numbers: Numbers | undefined;
  /** What filters and groups see. */
  fields: JsonObject;
}

export interface ModelQuery {
  numbers: Numbers;
  metric: Metric;
  dimensions: number;
  filter: Filter | undefined;
  /** Of the items that the query is made of. */
  excluded: ReadonlySet<string>;
  group: { path: FieldPath; size: number } | undefined;
  threshold: number | undefined;
  k: number;
  offset: number;
}

export interface ModelHit<T extends ModelItem> {
  item: T;
  distance: number;
  similarity: number;
  group: string | number | boolean | undefined;
}

/** All items that may be hits, nearest first, equal ones as they stand in `items`. */
export function candidates<T extends ModelItem>(items: readonly T[], query: ModelQuery): ModelHit<T>[] {
  const { filter, excluded, group, metric, dimensions } = query;
  return items
    .flatMap((item): ModelHit<T>[] => {
      if (!item.numbers || excluded.has(item.key)) return [];
      if (filter && !evaluateFilter(filter, item.fields)) return [];
      const distance = distanceOf(metric, query.numbers, item.numbers);
      if (Number.isNaN(distance)) return [];
      const similarity = similarityOf(metric, distance, dimensions);
      return [{ item, distance, similarity, group: group && scalarAt(item.fields, group.path) }];
    })
    .toSorted((a, b) => a.distance - b.distance);
}

/** The hits, in their order. */
export function nearest<T extends ModelItem>(items: readonly T[], query: ModelQuery): ModelHit<T>[] {
  const { threshold = -Infinity, group, offset, k } = query;
  const hits = candidates(items, query).filter(({ similarity }) => similarity >= threshold);
  if (!group) return hits.slice(offset, offset + k);
  return [...Map.groupBy(hits, (hit) => hit.group).values()]
    .slice(offset, offset + k)
    .flatMap((members) => members.slice(0, group.size));
}

function scalarAt(fields: JsonObject, path: FieldPath): string | number | boolean | undefined {
  let found: JsonValue | undefined = fields;
  for (const name of path) {
    if (typeof found !== "object" || found === null || Array.isArray(found)) return undefined;
    found = Object.hasOwn(found, name) ? found[name] : undefined;
  }
  return typeof found === "object" ? undefined : found;
}

/** The sum of unit vectors times their weights, at unit length; undefined where they cancel each other out. */
export function weightedSum(queries: readonly { numbers: Numbers; weight: number }[]): Numbers | undefined {
  const { length } = queries[0]?.numbers ?? [];
  const sum = Array.from({ length }, (_, i) =>
    queries.reduce(
      (total, { numbers, weight }) =>
        total + ((numbers[i] as number) * weight) / (Math.hypot(...numbers) || 1),
      0,
    ),
  );
  const norm = Math.hypot(...sum);
  return norm < 1e-3 ? undefined : sum.map((value) => Math.fround(value / norm));
}
