import { indexBytes, kmeansSamples, valueBytes, type IndexShape } from "./index-size.ts";
import { indexedType, type IndexSpec } from "./index-spec.ts";

// How long builds take: what pgvector does, counted, times what a step of it takes on one core. Constants were fitted to builds on one core
// of a virtual machine (bench/index-plan.ts); another machine's speed comes in by builds that were timed there.

/** What a build has to itself. */
export interface BuildConditions {
  /** Processes that build: the leader and its workers, as far as there are cores for them. */
  processes: number;
  /** maintenance_work_mem, in bytes, and what the index would need of it. */
  memoryBytes: number;
  neededBytes: number;
}

/** Beside the work on rows: catalogues, locks, and what CONCURRENTLY waits for. */
const FIXED_MS = 30;
/** A second process adds not quite as much as the first one. */
const PARALLEL_EFFICIENCY = 0.8;
/** Of inserting into an HNSW graph on disk, which is what happens to rows for which there is no memory (pgvector#300, #807). */
const ON_DISK_FACTOR = 10;

/** By rule of thumb, in milliseconds. */
export function modelBuildMs(spec: IndexSpec, shape: IndexShape, conditions: BuildConditions): number {
  const speedUp = 1 + PARALLEL_EFFICIENCY * (Math.max(1, conditions.processes) - 1);
  const write = indexBytes(spec, shape) * WRITE_MS_PER_BYTE;
  switch (spec.method) {
    case "hnsw":
      return FIXED_MS + write + hnswMs(spec, shape, conditions) / speedUp;
    case "ivfflat": {
      const { kmeans, assigning } = ivfflatMs(spec, shape);
      // Only reading and assigning rows is shared among processes.
      return FIXED_MS + write + kmeans + assigning / speedUp;
    }
    case "diskann":
      return FIXED_MS + write + diskannMs(spec, shape);
  }
}

const WRITE_MS_PER_BYTE = 2e-6;

/** A distance of one number, and what else comes with each distance: finding the element, the heaps. */
const HNSW_STEP = { vector: 2.0e-7, halfvec: 1.9e-7, bit: 1e-8, base: 1.2e-4 } as const;

function hnswMs(
  spec: IndexSpec & { method: "hnsw" },
  shape: IndexShape,
  { memoryBytes, neededBytes }: BuildConditions,
): number {
  const type = indexedType(shape, spec.quantization);
  const perDistance = HNSW_STEP.base + HNSW_STEP[type] * shape.dimensions;
  const all = shape.rows * distancesPerInsert(shape.rows, spec) * perDistance;
  const inMemory = Math.min(1, memoryBytes / Math.max(1, neededBytes));
  return all * (inMemory + (1 - inMemory) * ON_DISK_FACTOR);
}

/**
 * Distances that inserting a row takes, on average while the graph grows to `rows`: candidates that are looked at, which are a part of all
 * neighbours of ef_construction elements and never more than there are, and the comparisons that choose neighbours.
 */
function distancesPerInsert(
  rows: number,
  { m, efConstruction }: { m: number; efConstruction: number },
): number {
  const looked = efConstruction * Math.sqrt(m) * Math.log2(Math.max(2, rows)) * 0.5;
  const choosing = 4 * m * m;
  return (looked * rows) / (looked + rows) + choosing;
}

const IVFFLAT_STEP = { vector: 1.5e-7, halfvec: 2e-7, bit: 1e-8, base: 3e-5 } as const;
/** Of moving a row into the sort and out of it. */
const SORT_MS_PER_BYTE = 4e-6;
const KMEANS_ROUNDS = 8;

function ivfflatMs(
  spec: IndexSpec & { method: "ivfflat" },
  shape: IndexShape,
): { kmeans: number; assigning: number } {
  const type = indexedType(shape, spec.quantization);
  const perDistance = IVFFLAT_STEP.base + IVFFLAT_STEP[type] * shape.dimensions;
  const samples = kmeansSamples(shape.rows, spec.lists);
  const sort = shape.rows * valueBytes(type, shape.dimensions) * SORT_MS_PER_BYTE;
  return {
    kmeans: samples * spec.lists * perDistance * KMEANS_ROUNDS,
    assigning: shape.rows * spec.lists * perDistance + sort,
  };
}

const DISKANN_STEP = { base: 2e-4, perWord: 5e-7 } as const;

function diskannMs(spec: IndexSpec & { method: "diskann" }, { rows, dimensions }: IndexShape): number {
  const list = spec.searchListSize ?? 100;
  const neighbours = spec.numNeighbors ?? 50;
  const perDistance = DISKANN_STEP.base + DISKANN_STEP.perWord * dimensions;
  return rows * list * Math.sqrt(neighbours) * perDistance * Math.log2(Math.max(2, rows));
}
