import { KindredError } from "@kindred/errors";
import { distanceFrom, squaredNorms, type DenseMetric } from "../../domain/exact-distance.ts";
import { readJsonVector } from "../../domain/json-vector.ts";
import { TopCandidates } from "../../domain/top-candidates.ts";
import type { JsonVectorRows } from "../postgres/json-vectors.ts";
import type { Breather } from "../../domain/breathe.ts";
import type { RememberedVectors } from "./vector-cache.ts";

/** An item by its key. */
export interface NearItem {
  key: string;
  distance: number;
}

export interface Scanned {
  /** Nearest first, at most as many as were asked for. */
  nearest: NearItem[];
  rowsScanned: number;
}

export interface ScanQuery {
  vector: Float32Array;
  metric: DenseMetric;
  limit: number;
  excludedKeys: ReadonlySet<string>;
}

/** Terms of distances that are computed in one go: a millisecond's worth, or one row's. */
const STEP_TERMS = 1_000_000;

const stepRows = (dimensions: number): number => Math.max(1, Math.floor(STEP_TERMS / dimensions));

/** Room for the excluded ones too, which are taken out at the end: that is cheaper than comparing every key. */
const startCandidates = ({ limit, excludedKeys }: ScanQuery): TopCandidates =>
  new TopCandidates(limit + excludedKeys.size);

function finish(
  query: ScanQuery,
  top: TopCandidates,
  keyOf: (rank: number) => string,
  rowsScanned: number,
): Scanned {
  const nearest = top
    .ascending()
    .map(({ rank, distance }) => ({ key: keyOf(rank), distance }))
    .filter(({ key }) => !query.excludedKeys.has(key))
    .slice(0, query.limit);
  return { nearest, rowsScanned };
}

/** Compares everything that is remembered. */
export async function scanRemembered(
  query: ScanQuery,
  rows: RememberedVectors,
  breather: Breather,
): Promise<Scanned> {
  const top = startCandidates(query);
  const distance = distanceFrom(query.vector, query.metric);
  const step = stepRows(query.vector.length);
  const distances = new Float64Array(Math.min(step, rows.count));
  for (let first = 0; first < rows.count; first += step) {
    const end = Math.min(rows.count, first + step);
    distance(rows, first, end, distances);
    top.offer(distances, end - first, first);
    await breather.step();
  }
  return finish(query, top, (rank) => rows.keys.at(rank), rows.count);
}

/** Compares those that are remembered and have these keys, which come in the order of what is remembered. */
export async function scanMatching(
  query: ScanQuery,
  rows: RememberedVectors,
  matching: AsyncIterable<Pick<JsonVectorRows, "keys">>,
  breather: Breather,
): Promise<Scanned> {
  const top = startCandidates(query);
  const distance = distanceFrom(query.vector, query.metric);
  const one = new Float64Array(1);
  const step = stepRows(query.vector.length);
  let scanned = 0;
  let next = 0;
  for await (const { keys } of matching) {
    for (const key of keys) {
      const row = rows.keys.indexOf(key, next);
      if (row < 0) throw new TypeError(`a key of the table is not among those remembered of it: ${key}`);
      distance(rows, row, row + 1, one);
      top.offer(one, 1, row);
      next = row + 1;
      if (++scanned % step !== 0) continue;
      const pause = breather.step();
      if (pause) await pause;
    }
    await breather.step();
  }
  return finish(query, top, (rank) => rows.keys.at(rank), scanned);
}

/** Compares rows as they are read; memory is that of a block and of the nearest. */
export async function scanStored(
  query: ScanQuery,
  blocks: AsyncIterable<JsonVectorRows>,
  breather: Breather,
): Promise<Scanned> {
  const top = startCandidates(query);
  const distance = distanceFrom(query.vector, query.metric);
  const keys = new Map<number, string>();
  let scanned = 0;
  for await (const block of blocks) {
    const rows = await parseBlock(block, query.vector.length, breather, query.metric === "cosine");
    const distances = new Float64Array(rows.count);
    distance(rows, 0, rows.count, distances);
    top.offer(distances, rows.count, scanned, (row, rank) => keys.set(rank, block.keys[row] as string));
    scanned += rows.count;
    forgetOthers(keys, top);
    await breather.step();
  }
  return finish(query, top, (rank) => keys.get(rank) as string, scanned);
}

/** Keys of rows that others have displaced go, now and then. */
function forgetOthers(keys: Map<number, string>, top: TopCandidates): void {
  if (keys.size <= 2 * top.size + 1000) return;
  const held = new Set(top.ascending().map(({ rank }) => rank));
  for (const rank of keys.keys()) if (!held.has(rank)) keys.delete(rank);
}

async function parseBlock(
  block: JsonVectorRows,
  dimensions: number,
  breather: Breather,
  withNorms: boolean,
): Promise<{ values: Float32Array; norms: Float32Array; count: number }> {
  const count = block.vectors.length;
  const values = new Float32Array(count * dimensions);
  await parseVectors(block, dimensions, { values, first: 0 }, breather);
  const norms = new Float32Array(count);
  if (withNorms) squaredNorms(values, dimensions, { first: 0, end: count }, norms);
  return { values, norms, count };
}

/**
 * Reads the block's vectors into `values`, from row `first` on.
 * @throws KindredError data-loss that names the key of a vector which is none: pgvector would not have let it in
 */
export async function parseVectors(
  block: JsonVectorRows,
  dimensions: number,
  target: { values: Float32Array; first: number },
  breather: Breather,
): Promise<void> {
  const { values, first } = target;
  for (const [i, text] of block.vectors.entries()) {
    if (!readJsonVector(text, dimensions, values, (first + i) * dimensions))
      throw badVector(block.keys[i] as string, dimensions);
    // Parsing a row takes some twenty microseconds for 384 numbers, and asking the time each time a hundredth of it.
    const pause = breather.step();
    if (pause) await pause;
  }
}

function badVector(key: string, dimensions: number): KindredError {
  return new KindredError(
    "data-loss",
    `the stored vector of the item ${JSON.stringify(key)} is no JSON array of ${dimensions} numbers: replace or delete it`,
  );
}
