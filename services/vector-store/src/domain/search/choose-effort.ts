import { effortRange } from "../recall/effort.ts";
import type { Effort, RecallCurve, RecallPoint } from "../recall/recall.ts";
import type { VectorIndex } from "../vector-index.ts";
import { defaultEfSearch, defaultProbes } from "./search-plan.ts";

/** What an index scan should find. */
export interface EffortWish {
  /** recall@k, above 0 and at most 1. */
  target: number;
  /** Hits, or groups. */
  k: number;
  /** Share of the rows that pass the filter; 1 without one. */
  selectivity: number;
}

/** How hard a scan should look, and what that lets expect. */
export interface ChosenEffort {
  effort: Effort;
  /** Mean recall@k that was measured at this effort; undefined where nothing was. */
  expectedRecall: number | undefined;
  /** Where that is from. */
  curve: RecallCurve | undefined;
  /** Median time of such a scan in milliseconds, when it was measured. */
  ms: number | undefined;
  /** Whether the measurements say that the target is met, at the lower end of their interval. */
  met: boolean;
}

/** For what the efforts of indexes that were never tuned are meant. */
const DEFAULT_TARGET = 0.95;

/**
 * What is missed falls with this power of the effort: 0.258 at ef_search 40 and 0.051 at 400, of 25,014 captions in an index with
 * pgvector's defaults. Its inverse says how much more effort it takes to miss so much less.
 */
const MISSED_EXPONENT = 0.704;

/** DiskANN's search list that finds 0.95 of captions, about; vectorscale's default of 100 finds 0.88. */
const DEFAULT_SEARCH_LIST = 300;

/** Candidates of a binary quantised index: 400 find 0.901 of captions, which have but 384 bits. Wide vectors need fewer. */
const DEFAULT_RERANK = 1000;

/**
 * The cheapest effort whose recall meets the target at the lower end of its interval, on the curve that is about such searches: of
 * those for filters, the nearest one that passes as few rows or fewer; of these, the one for the smallest k that is no smaller. Beyond the
 * largest k efforts grow with k. Where no point meets the target, it is the cheapest of those that find most; where nothing was measured, the
 * default of the index. Never less than a scan needs to give k rows, and never more for a lower target.
 */
export function chooseEffort(
  index: VectorIndex,
  curves: readonly RecallCurve[],
  wish: EffortWish,
): ChosenEffort {
  const { least, most } = effortRange(index, wish.k);
  const within = (effort: number): Effort => Math.min(most, Math.max(least, Math.ceil(effort)));
  const curve = curveFor(curves, wish);
  if (!curve) {
    const effort = within(defaultEffort(index, wish));
    return { effort, expectedRecall: undefined, curve: undefined, ms: undefined, met: false };
  }
  const { points } = curve;
  const point = points.find(({ lower }) => lower >= wish.target) ?? surestPoint(points);
  const scale = Math.max(1, wish.k / curve.k);
  const effort = within(point.effort * scale);
  const expected = effort > point.effort * scale ? recallAt(points, effort / scale) : point.recall;
  return { effort, expectedRecall: expected, curve, ms: point.ms, met: point.lower >= wish.target };
}

/** The cheapest of those that find most for certain: beyond it, more effort finds no more. */
function surestPoint(points: readonly RecallPoint[]): RecallPoint {
  return points.reduce((surest, point) => (point.lower > surest.lower ? point : surest));
}

/** The recall that a named effort lets expect; undefined where nothing was measured. */
export function expectedRecall(
  curves: readonly RecallCurve[],
  effort: Effort,
  wish: Pick<EffortWish, "k" | "selectivity">,
): number | undefined {
  const curve = curveFor(curves, wish);
  return curve && recallAt(curve.points, effort / Math.max(1, wish.k / curve.k));
}

/** The curve that tells most about such searches without promising too much; undefined where there is none. */
export function curveFor(
  curves: readonly RecallCurve[],
  { k, selectivity }: Pick<EffortWish, "k" | "selectivity">,
): RecallCurve | undefined {
  const known = curves.filter(({ points }) => points.length > 0);
  const shares = known.map((curve) => curve.selectivity);
  const below = shares.filter((share) => share <= selectivity);
  const share = below.length > 0 ? Math.max(...below) : Math.min(...shares);
  const alike = known.filter((curve) => curve.selectivity === share).toSorted((a, b) => a.k - b.k);
  return alike.find((curve) => curve.k >= k) ?? alike.at(-1);
}

/** Between two points as the straight line between them, over the logarithm of the effort; beyond the ends as at the end. */
function recallAt(points: readonly RecallPoint[], effort: number): number {
  const next = points.findIndex((point) => point.effort >= effort);
  if (next === 0) return (points[0] as RecallPoint).recall;
  if (next < 0) return (points.at(-1) as RecallPoint).recall;
  const [a, b] = [points[next - 1] as RecallPoint, points[next] as RecallPoint];
  const way = Math.log(effort / a.effort) / Math.log(b.effort / a.effort);
  return a.recall + way * (b.recall - a.recall);
}

/**
 * The effort of an index that nobody tuned: what reaches 0.95, times (0.05 / what the target lets miss) to the power of 1 / 0.7. A filter makes
 * a scan stop as soon as k rows pass, so that fewer of the rows that it looked at decide: see docs/adr/0021.
 */
function defaultEffort(index: VectorIndex, { target, k, selectivity }: EffortWish): number {
  const missed = Math.max(0, 1 - target);
  const scale = missed === 0 ? Infinity : ((1 - DEFAULT_TARGET) / missed) ** (1 / MISSED_EXPONENT);
  return effortAtDefault(index, k) * scale * filterScale(selectivity);
}

/** Filters that pass fewer rows than this look no harder: the scan goes on for long enough anyway. */
const LEAST_FILTER_SHARE = 0.25;

function filterScale(selectivity: number): number {
  return 1 / Math.max(LEAST_FILTER_SHARE, selectivity);
}

function effortAtDefault(index: VectorIndex, k: number): number {
  switch (index.method) {
    case "hnsw":
      return index.quantization === "binary" ? DEFAULT_RERANK : defaultEfSearch(index.parameters, k);
    case "ivfflat":
      return defaultProbes(Number(index.parameters["lists"]), index.operatorClass.startsWith("bit_"));
    case "diskann":
      return DEFAULT_SEARCH_LIST;
  }
}
