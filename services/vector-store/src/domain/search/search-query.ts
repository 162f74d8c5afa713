import type { Metric } from "../collection.ts";
import type { FieldPath, Filter } from "../filter.ts";
import type { Projection } from "../item.ts";
import type { PackedVector } from "../packed-vector.ts";

/** Least room for joining and choosing, so many hits a wanted one, and no fewer than this many. */
export const CANDIDATES_PER_HIT = 5;
export const LEAST_CANDIDATES = 50;

/** Something that a vector is made of or read from. `field` is its path in the request, for errors. */
export type QuerySource = { field: string } & (
  | { kind: "text"; text: string }
  /** An empty space id: the caller vouches that the vector lives in the collection's. */
  | { kind: "vector"; data: PackedVector; spaceId: string }
  /** The item with this key, which is no hit itself. */
  | { kind: "key"; key: string }
);

export interface WeightedSource {
  source: QuerySource;
  /** Finite, not 0. */
  weight: number;
}

/** Hits of at most `size` a value of the field. */
export interface Grouping {
  path: FieldPath;
  size: number;
}

export interface Hybrid {
  /** Undefined: the query's own text. */
  text: string | undefined;
  rankConstant: number;
  textWeight: number;
  /** How many of each list are joined. */
  candidates: number;
}

export interface Diversity {
  lambda: number;
  /** How many of the nearest are chosen from. */
  candidates: number;
}

/** What a caller looks for. */
export interface SearchQuery {
  collection: string;
  by:
    | QuerySource
    /** The image's first embedding; the image itself is no hit. In the images catalogue only. */
    | { kind: "image"; id: bigint; field: string }
    | { kind: "several"; queries: readonly WeightedSource[]; field: string };
  /** Hits, or groups: 1 to 1,000. */
  k: number;
  /** So many of them are left out first. */
  offset: number;
  /** Least similarity of a hit. */
  threshold: number | undefined;
  /** Undefined: the collection's. */
  metric: Metric | undefined;
  filter: Filter | undefined;
  /** Compare every candidate, even where there is an index. */
  exact: boolean;
  /** hnsw.ef_search, 1 to 1,000; undefined lets the store choose. */
  efSearch: number | undefined;
  /** ivfflat.probes, 1 to 32,768; undefined lets the store choose. */
  probes: number | undefined;
  /** recall@k that an index scan should reach, above 0 and at most 1; undefined: the collection's. */
  recallTarget: number | undefined;
  /** In the images catalogue: a hit for each embedding instead of one for each image. */
  hitPerEmbedding: boolean;
  group: Grouping | undefined;
  hybrid: Hybrid | undefined;
  diversity: Diversity | undefined;
  projection: Projection;
  /** How far behind the data may be that are searched, in milliseconds; 0: not at all. Undefined: as is configured. */
  maxStalenessMs?: number | undefined;
}
