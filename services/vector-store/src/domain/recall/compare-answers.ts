import type { ProbeAnswer } from "./recall-ports.ts";

/** pgvector computes distances in single precision, and in another order of additions here and there. */
const TOLERANCE = 1e-6;

/**
 * Share of the true k nearest that a scan found. A hit that is as near as the k-th of them is as good as it: of equal captions any may be
 * among the nearest. Undefined where there is nothing to be found.
 * @param exact what an exact search for at least k found
 * @param found what the scan found
 */
export function recallOf(exact: ProbeAnswer, found: ProbeAnswer, k: number): number | undefined {
  const truth = exact.nearest.slice(0, k);
  const farthest = truth.at(-1)?.distance;
  if (farthest === undefined) return undefined;
  const keys = new Set(truth.map(({ key }) => key));
  const limit = farthest + TOLERANCE * Math.max(Math.abs(farthest), TOLERANCE);
  const hits = found.nearest.slice(0, k).filter(({ key, distance }) => keys.has(key) || distance <= limit);
  return hits.length / truth.length;
}
