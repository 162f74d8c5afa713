import type { IndexSource } from "./index-source.ts";

/** What lies between two pieces is read with them, up to so many bytes, rather than asked for in two turns. */
const GAP_BYTES = 16 * 1024;
const RUN_BYTES = 1024 * 1024;
/** As many as Node reads from files at once. */
const LANES = 4;

/** Pieces that are read in one turn: so many of the sorted ones, from one on. */
interface Run {
  first: number;
  count: number;
}

/**
 * Reads pieces of equal length from anywhere in a file: piece i begins at byte `places[i]`, and comes to i x bytes in the result. The file
 * is read from its beginning to its end, whatever the order of the places, and what is close together in one turn.
 */
export async function gather(
  source: IndexSource,
  places: Float64Array,
  bytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const result = new Uint8Array(places.length * bytes);
  const order = Uint32Array.from({ length: places.length }, (_, i) => i);
  order.sort((a, b) => (places[a] as number) - (places[b] as number));
  const placeOf = (sorted: number): number => places[order[sorted] as number] as number;
  const runs = planRuns(places.length, placeOf, bytes);
  const lane = async (): Promise<void> => {
    for (const { first, count } of runs) {
      signal?.throwIfAborted();
      const start = placeOf(first);
      const run = new Uint8Array(placeOf(first + count - 1) - start + bytes);
      await source.read(run, start);
      for (let i = first; i < first + count; i++) {
        const from = placeOf(i) - start;
        result.set(run.subarray(from, from + bytes), (order[i] as number) * bytes);
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return result;
}

function* planRuns(pieces: number, placeOf: (sorted: number) => number, bytes: number): Generator<Run> {
  for (let first = 0; first < pieces;) {
    const start = placeOf(first);
    let next = first + 1;
    while (
      next < pieces &&
      placeOf(next) - placeOf(next - 1) - bytes <= GAP_BYTES &&
      placeOf(next) - start + bytes <= RUN_BYTES
    )
      next += 1;
    yield { first, count: next - first };
    first = next;
  }
}
