import type { Collection } from "../collection.ts";
import type { ItemSearch } from "../item-ports.ts";

/** One way of searching for vectors that PostgreSQL can compare, and one for those that are kept as JSON. */
export function searchByStorage(ways: { vectors: ItemSearch; json: ItemSearch }): ItemSearch {
  const of = ({ layout }: Collection): ItemSearch =>
    layout.vector.storage === "json" ? ways.json : ways.vectors;
  return {
    state: (collection) => of(collection).state(collection),
    countMatching: (collection, ...rest) => of(collection).countMatching(collection, ...rest),
    passingShare: (collection, ...rest) => of(collection).passingShare(collection, ...rest),
    nearest: (query, ...rest) => of(query.collection).nearest(query, ...rest),
    distances: (query, ...rest) => of(query.collection).distances(query, ...rest),
    explain: (query, ...rest) => of(query.collection).explain(query, ...rest),
  };
}
