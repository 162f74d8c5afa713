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

/** The index that this service builds. */
export const INDEX_NAME = "embeddings_embedding_hnsw_idx";
/** It is built under this name and renamed when it is valid. */
export const BUILDING_NAME = `${INDEX_NAME}_new`;
/** The one that it replaces is renamed to this and dropped. */
export const RETIRED_NAME = `${INDEX_NAME}_old`;

/** hnsw's m and ef_construction. */
export interface IndexParameters {
  m: number;
  efConstruction: number;
}

export const DEFAULT_PARAMETERS: IndexParameters = { m: 16, efConstruction: 200 };

/** What a caller asks for; undefined is "whatever a valid index has, else the default". */
export type WantedParameters = { [K in keyof IndexParameters]: IndexParameters[K] | undefined };

/** What has to be done so that a valid index with the wanted parameters is there. */
export interface IndexWork {
  /** Leftovers of builds that were killed, to be dropped first. */
  leftovers: string[];
  next:
    | { kind: "keep"; index: VectorIndex }
    /** A build was killed when all that was left to do was to rename. */
    | { kind: "adopt" }
    | { kind: "build"; parameters: IndexParameters };
}

/** Whether searches by cosine distance can use the index. */
export function servesSearches(index: VectorIndex): boolean {
  return (
    index.valid && !index.partial && index.method === "hnsw" && index.operatorClass === "vector_cosine_ops"
  );
}

function satisfies(index: VectorIndex, wanted: WantedParameters): boolean {
  const { m, ef_construction: efConstruction } = index.parameters;
  return (
    servesSearches(index) &&
    (wanted.m === undefined || Number(m) === wanted.m) &&
    (wanted.efConstruction === undefined || Number(efConstruction) === wanted.efConstruction)
  );
}

/**
 * Decides what EnsureIndex does. Indexes with other names than this service's own are left alone, but one of them
 * that does what is wanted is good enough. Only while nobody else builds: an invalid index may be one that is being built.
 */
export function decideIndexWork(existing: readonly VectorIndex[], wanted: WantedParameters): IndexWork {
  const own = existing.find((index) => index.name === INDEX_NAME);
  const building = existing.find((index) => index.name === BUILDING_NAME);
  const retired = existing.find((index) => index.name === RETIRED_NAME);
  const adoptable = building && satisfies(building, wanted) ? building : undefined;
  const keep =
    own && satisfies(own, wanted)
      ? own
      : existing.find((index) => index !== building && index !== retired && satisfies(index, wanted));

  const leftovers = [retired, keep || !adoptable ? building : undefined, own && !own.valid ? own : undefined];
  const next: IndexWork["next"] = keep
    ? { kind: "keep", index: keep }
    : adoptable
      ? { kind: "adopt" }
      : { kind: "build", parameters: withDefaults(wanted) };
  return { leftovers: leftovers.filter((index) => index !== undefined).map((index) => index.name), next };
}

function withDefaults(wanted: WantedParameters): IndexParameters {
  const m = wanted.m ?? Math.min(DEFAULT_PARAMETERS.m, Math.floor((wanted.efConstruction ?? Infinity) / 2));
  return { m, efConstruction: wanted.efConstruction ?? Math.max(DEFAULT_PARAMETERS.efConstruction, 2 * m) };
}

/**
 * Memory that building an HNSW graph of so many vectors takes, in bytes: vector, element, and neighbours of 16 bytes
 * each, 2 x m in the lowest layer and m in the few above (pgvector's hnswutils.c), with a tenth to spare. A graph that
 * does not fit into maintenance_work_mem is finished on disk, which takes many times as long.
 */
export function graphBytes(rows: number, dimensions: number, m: number): number {
  const vector = 8 + 4 * dimensions;
  const neighbours = 16 * 2 * m * 1.1 + 64;
  return Math.ceil(rows * (vector + neighbours + 160) * 1.1);
}
