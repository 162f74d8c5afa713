import type { Collection, ElementType } from "../collection.ts";
import { indexedType, type IndexSpec } from "./index-spec.ts";

// How large indexes are on disk, and in memory while they are built, from the layouts of pgvector 0.8 (src/hnsw.h, hnswbuild.c, hnswutils.c,
// ivfflat.h, ivfbuild.c) and vectorscale 0.9 (src/access_method/sbq/node.rs, meta_page.rs), on pages of 8 kB as PostgreSQL is built
// everywhere. Rows whose vectors are equal share one HNSW element, up to ten of them: tables with many of those take less.

/** What an index is of. */
export interface IndexShape {
  rows: number;
  dimensions: number;
  elementType: ElementType;
}

export function shapeOf(
  { dimensions, elementType }: Pick<Collection, "dimensions" | "elementType">,
  rows: number,
): IndexShape {
  return { rows, dimensions, elementType };
}

const PAGE_BYTES = 8192;
/** Page header, 24 bytes, and special space, 8 of them in both extensions (HnswPageOpaqueData, IvfflatPageOpaqueData, TsvPageOpaqueData). */
const USABLE_BYTES = PAGE_BYTES - 24 - 8;
/** ItemIdData. */
const POINTER_BYTES = 4;
const ALIGNMENT = 8;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** VECTOR_SIZE, HALFVEC_SIZE and VARBITTOTALLEN: 8 bytes of header each. */
export function valueBytes(type: ElementType, dimensions: number): number {
  switch (type) {
    case "vector":
      return 8 + 4 * dimensions;
    case "halfvec":
      return 8 + 2 * dimensions;
    case "bit":
      return 8 + Math.ceil(dimensions / 8);
  }
}

/** Size on disk in bytes, once it is built. */
export function indexBytes(spec: IndexSpec, shape: IndexShape): number {
  const bytes = valueBytes(indexedType(shape, spec.quantization), shape.dimensions);
  switch (spec.method) {
    case "hnsw":
      return PAGE_BYTES * hnswPages(shape.rows, bytes, spec.m);
    case "ivfflat":
      return PAGE_BYTES * ivfflatPages(shape.rows, bytes, spec.lists);
    case "diskann":
      return PAGE_BYTES * diskannPages(shape, spec.numNeighbors ?? DISKANN_NEIGHBORS);
  }
}

/** Elements whose pages are filled one by one; beyond them pages go with the rows. */
const FILLED_ELEMENTS = 8192;

/**
 * Every element is a tuple with its vector (HnswElementTupleData: 72 bytes before it) and one with room for all of its neighbours
 * (HnswNeighborTupleData: 4 bytes, then 6 each for m of every level and 2 * m of the lowest). Pages are filled as CreateGraphPages does: both
 * on one page if a page has room for both, otherwise the second on the next one.
 */
function hnswPages(rows: number, valueSize: number, m: number): number {
  const element = aligned(72 + valueSize) + POINTER_BYTES;
  const filled = Math.min(rows, FILLED_ELEMENTS);
  const levels = drawLevels(m);
  let pages = 1;
  let free = USABLE_BYTES;
  const put = (bytes: number): void => {
    free -= bytes;
  };
  const append = (): void => {
    pages++;
    free = USABLE_BYTES;
  };
  for (let i = 0; i < filled; i++) {
    const neighbours = aligned(4 + 6 * m * (levels() + 2)) + POINTER_BYTES;
    const pair = element + neighbours;
    if (free < element || (pair <= USABLE_BYTES && free < pair)) append();
    put(element);
    if (free < neighbours) append();
    put(neighbours);
  }
  return 1 + (rows > filled ? Math.ceil((pages * rows) / filled) : pages);
}

/** Levels as HnswInitElement draws them, floor(-ln(uniform) / ln(m)), and the same ones each time. */
function drawLevels(m: number): () => number {
  const scale = 1 / Math.log(m);
  let state = 1;
  return () => {
    // Park and Miller's generator (1988).
    state = (state * 48_271) % 2_147_483_647;
    return Math.min(MAX_LEVEL, Math.floor(-Math.log(state / 2_147_483_647) * scale));
  };
}

/** HnswGetMaxLevel for most m; what would be above it is less than one element in 10^9 but for the smallest m. */
const MAX_LEVEL = 30;

/** The mean of f over the levels of elements: level l and above has the share m ** -l of them. */
function meanOverLevels(m: number, f: (level: number) => number): number {
  let sum = 0;
  for (let level = 0; level < MAX_LEVEL; level++) sum += (m ** -level - m ** -(level + 1)) * f(level);
  return sum;
}

/** Each list begins a page of its own (InsertTuples); the lists' centres stand apart (CreateListPages). */
function ivfflatPages(rows: number, valueSize: number, lists: number): number {
  // Before the value there are 8 bytes in both: IndexTupleData in a list, IvfflatListData before its centre.
  const perPage = Math.max(1, Math.floor(USABLE_BYTES / (aligned(8 + valueSize) + POINTER_BYTES)));
  return 1 + Math.ceil(lists / perPage) + Math.ceil(lists * pagesOfList(rows / lists / perPage));
}

/** From so many pages a list on, half a page of it is empty on average, whatever the lists' lengths are. */
const LONG_LIST = 40;

/**
 * Pages of a list on average, of lists whose rows take so many pages on average. k-means makes lists of unequal length: half of the mean is taken for
 * their standard deviation (an Erlang distribution of shape 4), and the pages are the sum over j of the share of lists that reach beyond j pages.
 */
function pagesOfList(mean: number): number {
  if (mean > LONG_LIST) return mean + 0.5;
  let pages = 1;
  for (let j = 1; ; j++) {
    const x = (4 * j) / mean;
    const longer = Math.exp(-x) * (1 + x + x ** 2 / 2 + x ** 3 / 6);
    if (!(longer > 1e-9)) return pages;
    pages += longer;
  }
}

/** vectorscale's default with its default layout (meta_page.rs, calculate_num_neighbors). */
export const DISKANN_NEIGHBORS = 50;

/**
 * A node is an archived ClassicSbqNode: 32 bytes, 8 for every 64 bits of the quantised vector, and 8 for each neighbour that there is room
 * for. Vectors take two bits a number below 900 dimensions and one from there (MetaPage::create).
 */
function diskannPages({ rows, dimensions }: IndexShape, neighbors: number): number {
  const bits = dimensions * (dimensions < 900 ? 2 : 1);
  const node = aligned(32 + 8 * Math.ceil(bits / 64) + 8 * neighbors) + POINTER_BYTES;
  // Means and deviations for quantising: floats and doubles, over several pages where they are long; and the page of metadata.
  const means = Math.ceil((12 * dimensions) / USABLE_BYTES);
  return 1 + means + Math.ceil(rows / Math.max(1, Math.floor(USABLE_BYTES / node)));
}

/** Memory is handed out in blocks, and a parallel build keeps some for elements that are under way. */
const SPARE = 1.1;
/** Of an allocation (GenerationContext's chunk). */
const CHUNK_BYTES = 8;

/**
 * Memory that a build needs in the database, in bytes; more of it than maintenance_work_mem takes many times as long (HNSW), or is refused
 * (IVFFlat).
 */
export function buildMemoryBytes(spec: IndexSpec, shape: IndexShape): number {
  const bytes = valueBytes(indexedType(shape, spec.quantization), shape.dimensions);
  switch (spec.method) {
    case "hnsw":
      return hnswGraphBytes(shape.rows, bytes, spec.m);
    case "ivfflat":
      return kmeansBytes(shape, bytes, spec.lists);
    case "diskann":
      return diskannCacheBytes(shape, spec.numNeighbors ?? DISKANN_NEIGHBORS);
  }
}

/**
 * HnswElementData is 128 bytes; beside it there are the vector, a pointer for every level's neighbours, and those: HnswNeighborArray with 8
 * bytes, and 16 (HnswCandidate) for each of m, in the lowest level 2 * m.
 */
function hnswGraphBytes(rows: number, valueSize: number, m: number): number {
  const arrays = meanOverLevels(m, (level) => {
    const lowest = 8 + 16 * 2 * m + CHUNK_BYTES;
    return 8 * (level + 1) + CHUNK_BYTES + lowest + level * (8 + 16 * m + CHUNK_BYTES);
  });
  return Math.ceil(rows * (128 + CHUNK_BYTES + aligned(valueSize) + CHUNK_BYTES + arrays) * SPARE);
}

/**
 * Elkan's k-means keeps a lower bound for every sampled row and list, beside the samples themselves (ivfkmeans.c, ElkanKmeans). Room for the samples
 * is as large as if there were enough rows.
 */
function kmeansBytes({ rows, dimensions }: IndexShape, valueSize: number, lists: number): number {
  const samples = kmeansSamples(rows, lists);
  const vectors = (mostSamples(lists) + 2 * lists) * aligned(valueSize) + 4 * lists * dimensions;
  return Math.ceil(vectors + 4 * samples * (lists + 2) + 4 * lists * (lists + 4));
}

/** 50 a list, at least 10,000 (ComputeCenters). */
const mostSamples = (lists: number): number => Math.max(10_000, 50 * lists);

/** Never more than there are. */
export function kmeansSamples(rows: number, lists: number): number {
  return Math.max(1, Math.min(rows, mostSamples(lists)));
}

/** The build keeps nodes in a cache as large as maintenance_work_mem allows; with all of them there it reads nothing twice. */
function diskannCacheBytes(shape: IndexShape, neighbors: number): number {
  const bits = shape.dimensions * (shape.dimensions < 900 ? 2 : 1);
  return Math.ceil(shape.rows * (128 + 8 * Math.ceil(bits / 64) + 24 * neighbors) * SPARE);
}
