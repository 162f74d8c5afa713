import { KindredError } from "@kindred/errors";
import { ALL_QUANTITIES, type MetricSource, type Quantity } from "./sample.ts";
import { ROLLUP_MS, type RollupResolution } from "./rollups.ts";

export type Resolution = "raw" | RollupResolution;

/** Microseconds since 1970; the end is not in it. */
export interface Period {
  fromMicros: bigint;
  toMicros: bigint;
}

export interface SeriesQuery {
  period: Period;
  /** Every component when empty. */
  components: readonly string[];
  quantities: readonly Quantity[];
  /** The finest that the period has at most POINTS_A_SERIES points of when undefined. */
  resolution: Resolution | undefined;
  maxPoints: number;
}

/** A value, or what values were in a minute or an hour. */
export interface Point {
  timestampMicros: bigint;
  avg: number;
  min: number;
  max: number;
  /** 95 % are no greater. */
  p95: number;
  count: bigint;
}

/** All quantities of one process at one time, or in a minute or hour; undefined where nothing was measured. */
export interface HistoryRow {
  component: string;
  instance: string;
  timestampMicros: bigint;
  cpuSource: MetricSource | undefined;
  memorySource: MetricSource | undefined;
  values: Readonly<Record<Quantity, Omit<Point, "timestampMicros"> | undefined>>;
}

export interface Series {
  component: string;
  instance: string;
  quantity: Quantity;
  /** Undefined where values are from several, or nobody said. */
  source: MetricSource | undefined;
  /** Oldest first. */
  points: Point[];
}

/** What one asks a store for. */
export interface RowsQuery {
  period: Period;
  /** Every component when empty. */
  components: readonly string[];
  /** Rows without a value of any of these do not count. */
  quantities: readonly Quantity[];
  limit: number;
}

export interface HistoryStore {
  /**
   * What there is of the period, by component, instance and time; at most `limit` rows. Minutes and hours that are not computed yet are
   * computed from their samples at this moment, so that an answer has everything that is stored.
   */
  rows(resolution: Resolution, query: RowsQuery): Promise<HistoryRow[]>;
  /** The most rows that one process has in the period; undefined where there are more than `limit` of all processes together. */
  longestSeries(resolution: "raw" | "minute", query: RowsQuery): Promise<number | undefined>;
  /** Before this time samples, or minutes, may be missing because they were too old. */
  horizonMicros(resolution: "raw" | "minute"): Promise<bigint | undefined>;
}

/** As many as one can tell apart in a picture. */
const POINTS_A_SERIES = 1000;
/** With more rows than this there is no counting: a coarser resolution is taken. */
const COUNTED_ROWS = 200_000;

export interface History {
  resolution: Resolution;
  period: Period;
  series: Series[];
}

/**
 * The series of a period, each of one quantity of one process; those without any value are left out, and where nothing was measured there
 * is no point. Minutes and hours are those that the period has a part of.
 * @throws KindredError invalid-argument when there are more points than asked for.
 */
export async function queryHistory(deps: { history: HistoryStore }, query: SeriesQuery): Promise<History> {
  const candidates = query.resolution === undefined ? await fitting(deps, query) : [query.resolution];
  for (const [i, resolution] of candidates.entries()) {
    const period = widened(query.period, resolution);
    const rows = await deps.history.rows(resolution, {
      period,
      components: query.components,
      quantities: query.quantities,
      // Each has one value at least.
      limit: query.maxPoints + 1,
    });
    const { series, points } = seriesOf(rows, query.quantities);
    if (points <= query.maxPoints) return { resolution, period, series };
    if (i === candidates.length - 1) throw tooMany(resolution, query.maxPoints);
  }
  throw new Error("there is no resolution to choose from");
}

/** Resolutions that serve, the finest first. */
async function fitting(
  { history }: { history: HistoryStore },
  { period, components, quantities }: SeriesQuery,
): Promise<Resolution[]> {
  const found: Resolution[] = [];
  for (const resolution of ["raw", "minute"] as const) {
    const horizon = await history.horizonMicros(resolution);
    if (horizon !== undefined && horizon > period.fromMicros) continue;
    const longest = await history.longestSeries(resolution, {
      period: widened(period, resolution),
      components,
      quantities,
      limit: COUNTED_ROWS,
    });
    if (longest !== undefined && longest <= POINTS_A_SERIES) found.push(resolution);
  }
  return [...found, "hour"];
}

/** The minutes or hours that the period has a part of. */
function widened({ fromMicros, toMicros }: Period, resolution: Resolution): Period {
  if (resolution === "raw") return { fromMicros, toMicros };
  const step = BigInt(ROLLUP_MS[resolution]) * 1000n;
  const over = (micros: bigint): bigint => ((micros % step) + step) % step;
  return { fromMicros: fromMicros - over(fromMicros), toMicros: toMicros + over(-toMicros) };
}

function tooMany(resolution: Resolution, maxPoints: number): KindredError {
  const remedy =
    resolution === "hour"
      ? "a shorter period or fewer components"
      : "a coarser resolution or a shorter period";
  return new KindredError(
    "invalid-argument",
    `there are more than ${maxPoints} points: ask for ${remedy}, or raise max_points`,
    {
      violations: [{ field: "max_points", description: `is ${maxPoints}, and there are more points` }],
    },
  );
}

/** @param rows by component, instance and time */
export function seriesOf(
  rows: readonly HistoryRow[],
  quantities: readonly Quantity[],
): { series: Series[]; points: number } {
  const found: Series[] = [];
  let points = 0;
  for (let from = 0; from < rows.length;) {
    const { component, instance } = rows[from] as HistoryRow;
    let to = from;
    while (rows[to]?.component === component && rows[to]?.instance === instance) to++;
    const own = rows.slice(from, to);
    // In the order of the contract, whatever the order in which they were asked for.
    for (const quantity of ALL_QUANTITIES.filter((name) => quantities.includes(name))) {
      const series = oneSeries(own, quantity);
      points += series.points.length;
      if (series.points.length > 0) found.push(series);
    }
    from = to;
  }
  return { series: found, points };
}

function oneSeries(rows: readonly HistoryRow[], quantity: Quantity): Series {
  const points: Point[] = [];
  const sources = new Set<MetricSource | undefined>();
  for (const row of rows) {
    const value = row.values[quantity];
    if (value === undefined) continue;
    points.push({ timestampMicros: row.timestampMicros, ...value });
    sources.add(sourceOf(row, quantity));
  }
  const { component = "", instance = "" } = rows[0] ?? {};
  const [source] = sources;
  return { component, instance, quantity, source: sources.size === 1 ? source : undefined, points };
}

function sourceOf(row: HistoryRow, quantity: Quantity): MetricSource | undefined {
  switch (quantity) {
    case "cpuUsage":
      return row.cpuSource;
    case "memoryUsageMb":
      return row.memorySource;
    case "diskUsageMb":
    case "gpuMemoryMb":
      return "host";
    case "activeConnections":
    case "eventLoopLagMs":
      return "process";
  }
}
