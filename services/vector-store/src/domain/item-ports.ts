import type { Collection, IndexPolicy, Metric } from "./collection.ts";
import type { EmbeddingSpace } from "./embedding-space.ts";
import type { Filter, FieldPath } from "./filter.ts";
import type { Image, JsonObject } from "./image.ts";
import type { Quantization } from "./indexes/index-spec.ts";
import type { GroupValue, Item, ItemRow, Projection } from "./item.ts";
import type { KeyType } from "./layout.ts";
import type { PackedVector } from "./packed-vector.ts";
import type { CallLimits } from "./ports.ts";
import type { RecallCurve } from "./recall/recall.ts";
import type { VectorIndex } from "./vector-index.ts";

// What collections, their items and searching among them ask of the world. Implementations throw KindredErrors.

export interface NewCollection {
  name: string;
  dimensions: number;
  elementType: Collection["elementType"];
  metric: Metric;
  space: EmbeddingSpace | undefined;
  recallTarget: number;
  indexPolicy: IndexPolicy;
  textSearchConfig: string | undefined;
  /** Undefined: one table. */
  hashPartitions: number | undefined;
}

/** A table of the user's; empty parts are found out. */
export interface TableReference {
  schema: string;
  table: string;
  keyColumn: string;
  vectorColumn: string;
  documentColumn: string;
}

/** A table that is made where it is not there: a key, a vector, and when the row was made. */
export interface NewTable {
  dimensions: number;
  elementType: Collection["elementType"];
  keyType: KeyType;
}

export interface NewRegistration extends Omit<
  NewCollection,
  "dimensions" | "elementType" | "metric" | "hashPartitions"
> {
  /** Undefined: cosine, or Hamming for bits. */
  metric: Metric | undefined;
  table: TableReference;
  /** Undefined: the table has to be there. Otherwise `table` names its key and vectors, and no document. */
  newTable: NewTable | undefined;
}

export interface CollectionChanges {
  recallTarget?: number;
  /** An undefined maintenance is the usual one of the collection's kind. */
  indexPolicy?: Partial<Omit<IndexPolicy, "maintenance">> & {
    maintenance?: IndexPolicy["maintenance"] | undefined;
  };
  metric?: Metric;
  /** Only of a collection that has none. */
  space?: EmbeddingSpace;
}

export interface CollectionStatistics {
  rows: bigint;
  estimated: boolean;
  indexedRows: bigint;
  deadTuples: bigint;
  tableSizeBytes: bigint;
  indexSizeBytes: bigint;
  /** By name. */
  indexes: VectorIndex[];
  lastAnalyzedAt: Date | undefined;
}

export interface CollectionRepository {
  /** A second old at most where it may change. @throws KindredError not-found */
  get(name: string): Promise<Collection>;
  /** By name. */
  list(): Promise<Collection[]>;
  /** @throws KindredError already-exists */
  create(collection: NewCollection, limits: CallLimits): Promise<Collection>;
  /**
   * With a new table, both or neither are made.
   * @throws KindredError already-exists; failed-precondition when the table cannot serve, or is not as it would have been made.
   */
  register(registration: NewRegistration, limits: CallLimits): Promise<Collection>;
  update(name: string, changes: CollectionChanges, limits: CallLimits): Promise<Collection>;
  /** How many vectors went with it. @throws KindredError not-found; failed-precondition for the images catalogue */
  remove(name: string, limits: CallLimits): Promise<bigint>;
  statistics(name: string, options: { exact: boolean }, limits: CallLimits): Promise<CollectionStatistics>;
  /** Whoever changes collections by other ways: what was cached is read again. */
  forget(): void;
}

export type ConflictPolicy = "error" | "skip" | "replace";

/** How rows are sent to the database: "auto" is COPY for many where the server can, else INSERT of many rows a statement. */
export type WriteMethod = "auto" | "copy" | "insert";

/** One transaction's worth of items. */
export interface PreparedItems {
  collection: Collection;
  /** No key twice. */
  rows: readonly ItemRow[];
  /** The space of all vectors; undefined when nobody names it. */
  space: EmbeddingSpace | undefined;
  onConflict: ConflictPolicy;
  writeMethod: WriteMethod;
}

export interface StoredItems {
  inserted: number;
  replaced: number;
  /** Positions in `rows` of those that were there already and stayed. */
  skipped: readonly number[];
}

/** The items of collections. */
export interface ItemStore {
  /**
   * Stores items, whole or not at all. The first ones pin a collection's space.
   * @throws KindredError already-exists that names the key; failed-precondition for another space than the pinned one,
   *   for a table that needs more than a key and a vector, and for COPY where the server cannot.
   */
  store(items: PreparedItems, limits: CallLimits): Promise<StoredItems>;
  /** Which of the keys are there. */
  known(collection: Collection, keys: readonly string[], limits: CallLimits): Promise<ReadonlySet<string>>;
  updateMetadata(
    collection: Collection,
    changes: readonly { key: string; metadata: JsonObject | undefined; document: string | undefined }[],
    options: { merge: boolean },
    limits: CallLimits,
  ): Promise<number>;
  /** By key, in any order. */
  get(
    collection: Collection,
    keys: readonly string[],
    projection: Projection,
    limits: CallLimits,
  ): Promise<Item[]>;
  remove(
    collection: Collection,
    which: { keys: readonly string[] } | { filter: Filter },
    limits: CallLimits,
  ): Promise<number>;
  /** Items behind `afterKey`, by ascending key. */
  list(
    collection: Collection,
    query: {
      filter: Filter | undefined;
      afterKey: string | undefined;
      limit: number;
      projection: Projection;
    },
    limits: CallLimits,
  ): Promise<Item[]>;
  /** All of them from one snapshot by a cursor, so many at a time; the transaction lasts until the iteration ends. */
  export(
    collection: Collection,
    query: {
      filter: Filter | undefined;
      afterKey: string | undefined;
      batchSize: number;
      projection: Projection;
    },
    limits: CallLimits,
  ): AsyncIterable<Item[]>;
  /** Gathers the planner's statistics, whose ever the table is: whoever asks waits for locks and for the end. */
  analyze(collection: Collection, limits: CallLimits): Promise<void>;
  /** Brings the planner's statistics up to date after many rows were added. Never rejects. */
  refreshStatistics(collection: Collection): Promise<void>;
}

/** An index that searches can scan. */
export interface ServingIndex extends VectorIndex {
  /** What is known of its recall; none before it was tuned. */
  curves: readonly RecallCurve[];
}

/** What searching depends on, a second old at most. */
export interface SearchState {
  /** Valid ones that serve searches, those that serve best first. */
  indexes: readonly ServingIndex[];
  /** Rows of the vectors' table, as PostgreSQL estimates them. */
  estimatedRows: number;
  /** Rows of the images table for the images catalogue; otherwise the same. */
  estimatedGroups: number;
  /** Whether an index scan goes on under a filter until it has enough rows: pgvector 0.8 and newer. */
  iterativeScans: boolean;
}

/** A scan of an index, as the planner chooses it. */
export type IndexScan = {
  indexName: string;
  /** What the index holds of the vectors. */
  quantization: Quantization;
  /** How many candidates of a binary quantised index are compared again by their whole vectors, at least the candidate limit; otherwise undefined. */
  rerank: number | undefined;
} & (
  | { method: "hnsw"; efSearch: number; maxScanTuples: number }
  | { method: "ivfflat"; probes: number; maxProbes: number }
  | { method: "diskann"; searchListSize: number }
);

/** How candidates are found. */
export type ItemScan = { method: "exact" } | IndexScan;

/** One statement's worth of searching. */
export interface ItemQuery {
  collection: Collection;
  /** As it travels: see vectorBytes. */
  vector: PackedVector;
  metric: Metric;
  filter: Filter | undefined;
  excludedKeys: readonly string[];
  /** At most `size` hits for each value of the field. */
  group: { path: FieldPath; size: number } | undefined;
  /** Hits, or groups. */
  k: number;
  /** The nearest so many items are found first, and hits are made of them. At least k. */
  candidateLimit: number;
  scan: ItemScan;
  projection: Projection;
  /**
   * Only rows whose key's hash falls into this share, above 0 and below 1, of all hashes: a filter for measurements, which passes rows
   * whatever their vectors are. Undefined: all.
   */
  sampledShare?: number | undefined;
}

export interface ItemHit extends Omit<Item, "updatedAt"> {
  /** As pgvector defines it. */
  distance: number;
  group: GroupValue;
  /** In the images catalogue. */
  image: Image | undefined;
}

export interface NearestItems {
  /** By ascending distance, then group value of the images catalogue, then key; groups by their nearest hit, each one's hits together. */
  hits: ItemHit[];
  /** Items that were looked at for them, at most the candidate limit; 0 when there are no hits. */
  candidates: number;
  /** Rows whose distance was computed; undefined where that is not known. */
  rowsScanned: number | undefined;
}

export interface ExplainedQuery {
  sql: string;
  parameters: string[];
  settings: Record<string, string>;
  plan: string;
}

/** Searches among a collection's vectors: in PostgreSQL, or in this process. */
export interface ItemSearch {
  state(collection: Collection): Promise<SearchState>;
  /** How many items pass the filter, counted up to `bound`. May be some seconds old. */
  countMatching(collection: Collection, filter: Filter, bound: number, limits: CallLimits): Promise<number>;
  /**
   * Which share of the items passes the filter, 0 to 1, of a sample of some thousand. May be some seconds old. Undefined where none can be
   * taken, e.g. of a foreign table.
   */
  passingShare(collection: Collection, filter: Filter, limits: CallLimits): Promise<number | undefined>;
  /** @throws KindredError deadline-exceeded, cancelled, resource-exhausted */
  nearest(query: ItemQuery, limits: CallLimits): Promise<NearestItems>;
  /** The items with these keys as hits, in any order, with their distances; those that are not there are left out. */
  distances(
    query: Pick<ItemQuery, "collection" | "vector" | "metric" | "group" | "projection"> & {
      keys: readonly string[];
    },
    limits: CallLimits,
  ): Promise<ItemHit[]>;
  /** Undefined where no statement finds the nearest. */
  explain(
    query: ItemQuery,
    options: { analyze: boolean },
    limits: CallLimits,
  ): Promise<ExplainedQuery | undefined>;
}

/** Full-text search in the documents. */
export interface TextSearch {
  /**
   * Keys of the best matches, best first; equal ones by ascending key.
   * @throws KindredError failed-precondition when the collection has no documents.
   */
  matches(
    collection: Collection,
    query: { text: string; filter: Filter | undefined; excludedKeys: readonly string[]; limit: number },
    limits: CallLimits,
  ): Promise<{ keys: string[]; /** "fts", or the name of a BM25 extension. */ method: string }>;
}
