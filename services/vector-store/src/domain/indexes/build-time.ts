import { DISKANN_NEIGHBORS, indexBytes, kmeansSamples, valueBytes, type IndexShape } from "./index-size.ts";
import { indexedType, type IndexSpec } from "./index-spec.ts";

// How long builds take. The forms follow from what pgvector and vectorscale do; the constants were fitted to the CPU time of some forty builds of
// 2,000 to 50,000 rows on one core of a virtual machine of 2025 (bench/index-plan.ts has the like). What another machine makes of them, builds
// that were timed there tell.

/** What a build has to itself. */
export interface BuildConditions {
  /** Processes that build: the leader and its workers, as far as there are cores for them. */
  processes: number;
  /** maintenance_work_mem, in bytes. */
  memoryBytes: number;
  /** What the build needs of it. */
  neededBytes: number;
  /** Whether others write meanwhile, for which CONCURRENTLY reads the index and the table once more. */
  online?: boolean;
}

/** Beside the work on rows: catalogues and locks. */
const FIXED_MS = 20;
/** Of CONCURRENTLY: two more transactions, and what validate_index does with each row. */
const ONLINE_MS = { fixed: 50, row: 2e-3 };
/** A second process adds not quite as much as the first one: they share caches, and wait for each other's locks. */
const PARALLEL_EFFICIENCY = 0.8;
/** Inserting into a graph on disk takes so many times as long, which is what happens to rows for which there is no memory (pgvector#300, #807). */
const ON_DISK_FACTOR = 10;
const WRITE_MS_PER_BYTE = 1.5e-6;

/** By rule of thumb, in milliseconds. */
export function modelBuildMs(spec: IndexSpec, shape: IndexShape, conditions: BuildConditions): number {
  const speedUp = 1 + PARALLEL_EFFICIENCY * (Math.max(1, conditions.processes) - 1);
  const validating = conditions.online ? ONLINE_MS.fixed + ONLINE_MS.row * shape.rows : 0;
  const fixed = FIXED_MS + validating + indexBytes(spec, shape) * WRITE_MS_PER_BYTE;
  switch (spec.method) {
    case "hnsw":
      return fixed + hnswMs(spec, shape, conditions) / speedUp;
    case "ivfflat": {
      const { alone, shared } = ivfflatMs(spec, shape);
      return fixed + alone + shared / speedUp;
    }
    case "diskann":
      return fixed + diskannMs(spec, shape);
  }
}

/**
 * A graph of few rows is looked through as a whole by each insert; from about `half` rows on the search for neighbours sees a smaller and
 * smaller part of it, until only the number of levels and misses of the processor's caches grow.
 */
function growth(rows: number, half: number): number {
  const deeper = 1 + 0.06 * Math.max(0, Math.log2(rows / 10_000));
  return (rows / (rows + half)) * deeper;
}

/** What a distance costs: whatever else comes with it, and each of its numbers; 1 is a `vector` of some 340 dimensions. */
const HNSW_DISTANCE = {
  vector: { base: 0.42, number: 1.7e-3, half: 3.35 },
  halfvec: { base: 0.43, number: 1.37e-3, half: 3.35 },
  // Many are equally far away, and the search ends sooner.
  bit: { base: 0.45, number: 1e-5, half: 0.9 },
} as const;
const HNSW_MS = 2.8e-4;

function hnswMs(
  spec: IndexSpec & { method: "hnsw" },
  shape: IndexShape,
  { memoryBytes, neededBytes }: BuildConditions,
): number {
  const { m, efConstruction } = spec;
  const distance = HNSW_DISTANCE[indexedType(shape, spec.quantization)];
  const perRow =
    HNSW_MS *
    efConstruction *
    m ** 0.82 *
    growth(shape.rows, distance.half * efConstruction * Math.sqrt(m)) *
    (distance.base + distance.number * shape.dimensions);
  const inMemory = Math.min(1, memoryBytes / Math.max(1, neededBytes));
  return shape.rows * perRow * (inMemory + (1 - inMemory) * ON_DISK_FACTOR);
}

const IVFFLAT_DISTANCE_MS = {
  vector: { base: 5e-6, number: 1e-7 },
  halfvec: { base: 5e-6, number: 1.3e-7 },
  bit: { base: 1.2e-5, number: 1e-9 },
} as const;
/** Reading a row, quantising it, and sorting it by its list. */
const IVFFLAT_ROW_MS = { base: 3e-3, quantising: 3e-3, byte: 3e-6 } as const;
/** Elkan's k-means begins with k-means++, which takes every distance of the samples once, and leaves out most of them later. */
const KMEANS_PASSES = 1.5;

/** Only assigning rows to lists is shared among processes. */
function ivfflatMs(
  spec: IndexSpec & { method: "ivfflat" },
  shape: IndexShape,
): { alone: number; shared: number } {
  const type = indexedType(shape, spec.quantization);
  const { base, number } = IVFFLAT_DISTANCE_MS[type];
  const perDistance = base + number * shape.dimensions;
  const perRow =
    IVFFLAT_ROW_MS.base +
    (spec.quantization === "none" ? 0 : IVFFLAT_ROW_MS.quantising) +
    IVFFLAT_ROW_MS.byte * valueBytes(type, shape.dimensions);
  return {
    alone: kmeansSamples(shape.rows, spec.lists) * spec.lists * perDistance * KMEANS_PASSES,
    shared: shape.rows * (spec.lists * perDistance + perRow),
  };
}

const DISKANN_MS = 1;
const DISKANN_HALF = 1500;
const DISKANN_SEARCH_LIST = 100;

/** Quantised vectors are so short that their length hardly counts. */
function diskannMs(spec: IndexSpec & { method: "diskann" }, { rows }: IndexShape): number {
  const effort =
    ((spec.searchListSize ?? DISKANN_SEARCH_LIST) / DISKANN_SEARCH_LIST) *
    ((spec.numNeighbors ?? DISKANN_NEIGHBORS) / DISKANN_NEIGHBORS);
  return DISKANN_MS * rows * growth(rows, DISKANN_HALF) * effort;
}
