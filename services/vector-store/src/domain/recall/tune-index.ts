import { KindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import type { RecallTuner, StepContext } from "../indexes/index-ports.ts";
import type { VectorIndex } from "../vector-index.ts";
import { recallOf } from "./compare-answers.ts";
import { effortGrid, effortRange, FINE_STEP, measuredMetric, scanAtEffort } from "./effort.ts";
import { mean, median, recallLowerBound } from "./interval.ts";
import { isotonic } from "./isotonic.ts";
import type { ProbeAnswer, QuerySamples, RecallProbe, RecallSnapshot } from "./recall-ports.ts";
import type { Effort, RecallCurve, RecallPoint, RecallStore } from "./recall.ts";
import { runBatches, type WorkLimits } from "./run-batches.ts";
import { sampleQueries, type SampledQuery } from "./sample-queries.ts";

export interface TuneIndexDeps {
  probe: RecallProbe;
  samples: QuerySamples;
  recall: Pick<RecallStore, "keepCurves">;
}

/** k of the curves without a filter; the first one is that of targets. */
const DEPTHS = [10, 100] as const;
const DEPTH = DEPTHS[0];
/** Shares of the rows that pass a filter for which there are curves, too; what lies between them takes the harder one. */
const SELECTIVITIES = [0.5, 0.1, 0.02] as const;
/** Filters that let fewer rows through are answered exactly in any case. */
const LEAST_MATCHING = 100;
/** Fewer rows say nothing about an index. */
const LEAST_ROWS = 10;

/** The first queries find out where the grid can end. */
const PILOT_QUERIES = 40;
const PILOT_STEP = 2;
/** Nobody asks for more, and no sample could tell. */
const ENOUGH = 0.9995;
/** A query that found everything with so many efforts in a row finds it with more, too, and is not asked again … */
const SURE = 2;
/** … but for the first ones, so that every effort is timed. */
const TIMED_QUERIES = 20;
/** Shares of the time; the filtered curves have the rest. */
const PILOT_SHARE = 0.2;
const PLAIN_SHARE = 0.65;

/**
 * Tells the recall of an index by effort, as searches see it: each query is answered exactly once and then with every effort of a grid, in
 * one snapshot. A few pilot queries say where the grid ends: where everything is found, or no more effort is possible. There are
 * curves for 10 and 100 hits, and for 10 under filters that pass half, a tenth and a fiftieth of the rows, whatever their vectors are.
 * When the time is over, there are fewer queries in them.
 */
export function recallTuner(deps: TuneIndexDeps): RecallTuner {
  return {
    async tune(collection, indexName, { recallTarget, queries: count, origin, maxMs }, step) {
      const began = performance.now();
      const until = (share: number): WorkLimits => ({ signal: step.signal, deadline: began + share * maxMs });
      const limits = { signal: step.signal };
      const index = await deps.probe.index(collection, indexName, limits);
      const rows = await deps.probe.estimatedRows(collection);
      const queries = await sampleQueries(deps.samples, collection, { count, origin }, limits);
      if (queries.length < Math.min(count, LEAST_ROWS)) throw tooFew(collection, queries.length);

      const efforts = await chooseEfforts(deps.probe, collection, index, queries, until(PILOT_SHARE), step);
      const filtered = SELECTIVITIES.filter((selectivity) => selectivity * rows >= LEAST_MATCHING);
      const total = queries.length * (filtered.length > 0 ? 2 : 1);
      const report = (detail: string, done: number): void =>
        step.report({ detail, done, total, unit: "queries" });
      const measured = { rows, tunedAt: new Date() };
      const curves = await sweep(
        { probe: deps.probe, collection, index, efforts },
        queries,
        DEPTHS.map((k) => ({ k, selectivity: 1 })),
        until(filtered.length > 0 ? PLAIN_SHARE : 1),
        (done) => report("asking exactly and through the index", done),
      );
      if (filtered.length > 0) {
        const under = await sweep(
          { probe: deps.probe, collection, index, efforts },
          queries,
          filtered.map((selectivity) => ({ k: DEPTH, selectivity })),
          until(1),
          (done) => report("asking under filters", queries.length + done),
        );
        curves.push(...under);
      }
      const kept = curves.map((curve) => ({ ...curve, ...measured }));
      const points = kept.find(({ k, selectivity }) => k === DEPTH && selectivity === 1)?.points ?? [];
      if (points.length === 0) throw tooFew(collection, 0);
      await deps.recall.keepCurves(collection.name, index, kept, limits);
      const queried = kept[0]?.queries ?? 0;
      if (queried < queries.length) {
        step.note(`The time was over after ${queried} of ${queries.length} queries.`);
      }
      return {
        curves: kept,
        reached: points.find(({ lower }) => lower >= recallTarget),
        best: bestPoint(points),
      };
    },
  };
}

function tooFew({ name }: Collection, found: number): KindredError {
  return new KindredError(
    "failed-precondition",
    `${JSON.stringify(name)} has too few vectors to learn from: ${found} queries can be made of them, ${LEAST_ROWS} are needed`,
  );
}

/** Efforts that are worth measuring: up to the one with which pilot queries find everything, and one step beyond. */
async function chooseEfforts(
  probe: RecallProbe,
  collection: Collection,
  index: VectorIndex,
  queries: readonly SampledQuery[],
  limits: WorkLimits,
  step: StepContext,
): Promise<Effort[]> {
  const deepest = DEPTHS.at(-1) as number;
  const range = effortRange(index, deepest);
  const grid = effortGrid(range, PILOT_STEP);
  const pilot = queries.slice(0, PILOT_QUERIES);
  const found = new Map<Effort, number[]>();
  const enough = (effort: Effort): boolean => mean(found.get(effort) ?? [0]) >= ENOUGH;
  const metric = measuredMetric(collection, index);
  await runBatches(
    probe,
    collection,
    pilot,
    async (snapshot, { vector }) => {
      const asked = { metric, vector, candidateLimit: deepest };
      const exact = await snapshot.ask({ ...asked, scan: { method: "exact" } });
      for (const effort of grid) {
        const answer = await snapshot.ask({ ...asked, scan: scanAtEffort(index, effort, deepest) });
        const recall = recallOf(exact, answer, deepest);
        if (recall === undefined) break;
        found.set(effort, [...(found.get(effort) ?? []), recall]);
        // A query that everything was found for needs no more effort; the mean is over those that were asked.
        if (recall === 1) {
          for (const more of grid.filter((other) => other > effort))
            found.set(more, [...(found.get(more) ?? []), 1]);
          break;
        }
      }
      return true;
    },
    limits,
    (done) => step.report({ detail: "looking for the range", done, total: pilot.length, unit: "queries" }),
  );
  const last = grid.find(enough) ?? range.most;
  return effortGrid(
    { least: effortRange(index, DEPTH).least, most: Math.min(range.most, last * PILOT_STEP) },
    FINE_STEP,
  );
}

interface Sweep {
  probe: RecallProbe;
  collection: Collection;
  index: VectorIndex;
  /** Ascending. */
  efforts: readonly Effort[];
}

type CurveKind = Pick<RecallCurve, "k" | "selectivity">;
/** What a query found with an effort; without a time where it was not asked. */
interface Told {
  recall: number;
  ms: number | undefined;
}

/** Of one query, for each effort that makes sense for its curve. */
interface Answered {
  recent: boolean;
  curves: ({ points: readonly Told[]; exactMs: number } | undefined)[];
}

/** Curves of these kinds, each from the same queries, but for those that have nothing to find. */
async function sweep(
  { probe, collection, index, efforts }: Sweep,
  queries: readonly SampledQuery[],
  kinds: readonly CurveKind[],
  limits: WorkLimits,
  onDone: (done: number) => void,
): Promise<Omit<RecallCurve, "rows" | "tunedAt">[]> {
  const metric = measuredMetric(collection, index);
  const timed = new Set(queries.slice(0, TIMED_QUERIES));
  const effortsOf = ({ k }: CurveKind): Effort[] => {
    const { least, most } = effortRange(index, k);
    const within = efforts.filter((effort) => effort >= least && effort <= most);
    return within[0] === least ? within : [least, ...within];
  };
  const askAll = async (
    snapshot: RecallSnapshot,
    query: SampledQuery,
    kind: CurveKind,
    exact: ProbeAnswer,
  ): Promise<Told[] | undefined> => {
    const { vector } = query;
    const points: Told[] = [];
    let sure = 0;
    for (const effort of effortsOf(kind)) {
      if (sure >= SURE && !timed.has(query)) {
        points.push({ recall: 1, ms: undefined });
        continue;
      }
      const scan = scanAtEffort(index, effort, kind.k);
      const answer = await snapshot.ask({ metric, vector, scan, ...limitsOf(kind) });
      const recall = recallOf(exact, answer, kind.k);
      if (recall === undefined) return undefined;
      sure = recall === 1 ? sure + 1 : 0;
      points.push({ recall, ms: answer.ms });
    }
    return points;
  };
  const answered = await runBatches(
    probe,
    collection,
    queries,
    async (snapshot, query): Promise<Answered> => {
      const curves: Answered["curves"] = [];
      const truths = new Map<number, ProbeAnswer>();
      for (const kind of kinds) {
        const { vector } = query;
        const truth =
          truths.get(kind.selectivity) ??
          (await snapshot.ask({
            ...limitsOf({ ...kind, k: deepestOf(kinds, kind.selectivity) }),
            metric,
            vector,
            scan: { method: "exact" },
          }));
        truths.set(kind.selectivity, truth);
        const points = await askAll(snapshot, query, kind, truth);
        curves.push(points && { points, exactMs: truth.ms });
      }
      return { recent: query.recent, curves };
    },
    limits,
    onDone,
  );
  return kinds.flatMap((kind, i) => {
    const told = answered.flatMap(({ recent, curves }) => {
      const measured = curves[i];
      return measured ? [{ recent, ...measured }] : [];
    });
    if (told.length === 0) return [];
    return [
      {
        ...kind,
        points: toPoints(
          effortsOf(kind),
          kind.k,
          told.map(({ points }) => points),
        ),
        exactMs: median(told.map(({ exactMs }) => exactMs)),
        queries: told.length,
        recentQueries: told.filter(({ recent }) => recent).length,
      },
    ];
  });
}

function deepestOf(kinds: readonly CurveKind[], selectivity: number): number {
  return Math.max(...kinds.filter((kind) => kind.selectivity === selectivity).map(({ k }) => k));
}

function limitsOf({ k, selectivity }: CurveKind): { candidateLimit: number; sampledShare?: number } {
  return { candidateLimit: k, ...(selectivity < 1 && { sampledShare: selectivity }) };
}

function toPoints(efforts: readonly Effort[], k: number, told: readonly (readonly Told[])[]): RecallPoint[] {
  const at = (i: number): Told[] => told.flatMap((points) => points[i] ?? []);
  const recalls = efforts.map((_, i) => at(i).map(({ recall }) => recall));
  const recall = isotonic(recalls.map(mean));
  const lower = isotonic(recalls.map((perQuery) => recallLowerBound(perQuery, k)));
  const ms = isotonic(efforts.map((_, i) => median(at(i).flatMap((each) => each.ms ?? []))));
  return efforts.map((effort, i) => ({
    effort,
    recall: recall[i] as number,
    lower: lower[i] as number,
    ms: ms[i] as number,
  }));
}

/** The cheapest of those with the largest recall. */
function bestPoint(points: readonly RecallPoint[]): RecallPoint {
  const most = Math.max(...points.map(({ recall }) => recall));
  return points.find(({ recall }) => recall === most) as RecallPoint;
}
