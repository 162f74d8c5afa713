/** Of an even number of values the mean of the middle two; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** The smallest value that at least the share `p` of the values do not exceed (nearest rank); NaN of none. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

export interface Slope {
  /** Units of y for one unit of x. */
  readonly slope: number;
  /** 95 % confidence interval. */
  readonly low: number;
  readonly high: number;
}

const Z_95 = 1.96;

/**
 * Slope by Theil and Sen: the median of the slopes of all pairs of points, so that up to 29 % of wild points change nothing. The
 * interval is Sen's (1968, J. Am. Stat. Assoc. 63), from the variance of Kendall's S; it takes the points for independent.
 * @param points [x, y], at least 3, with different x.
 */
export function theilSen(points: readonly (readonly [number, number])[]): Slope {
  const slopes: number[] = [];
  for (const [i, [x1, y1]] of points.entries()) {
    for (const [x2, y2] of points.slice(i + 1)) if (x2 !== x1) slopes.push((y2 - y1) / (x2 - x1));
  }
  slopes.sort((a, b) => a - b);
  const n = points.length;
  const spread = Z_95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const at = (rank: number): number =>
    slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))] ?? Number.NaN;
  return {
    slope: median(slopes),
    low: at((slopes.length - spread) / 2 - 1),
    high: at((slopes.length + spread) / 2),
  };
}
