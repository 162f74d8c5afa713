import { KindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import type { CallLimits } from "../ports.ts";
import { chooseEffort } from "../search/choose-effort.ts";
import type { VectorIndex } from "../vector-index.ts";
import { recallOf } from "./compare-answers.ts";
import { measuredMetric, scanAtEffort } from "./effort.ts";
import { median, recallInterval } from "./interval.ts";
import type { QuerySamples, RecallProbe } from "./recall-ports.ts";
import type { Effort, QueryOrigin, RecallMeasurement, RecallStore } from "./recall.ts";
import { runBatches } from "./run-batches.ts";
import { sampleQueries } from "./sample-queries.ts";

export interface MeasureRecallDeps {
  probe: RecallProbe;
  samples: QuerySamples;
  recall: Pick<RecallStore, "curves" | "keepMeasurement">;
}

/** What to measure; what is undefined, the collection and its curves say. */
export interface MeasurementWish {
  indexName: string | undefined;
  k: number;
  effort: Effort | undefined;
  recallTarget: number | undefined;
  queries: number;
  origin: QueryOrigin;
  /** Share of the rows that pass a filter, 1 without one. */
  selectivity: number;
  maxMs: number;
  /** Of the interval. */
  confidence: number;
}

/** Sampling takes a moment too. */
const SAMPLING_MS = 30_000;

/**
 * Measures recall now and keeps what came of it. Every query is answered exactly and by an index scan from one snapshot, on one
 * connection, one after the other; when the time is over, it is what there is by then.
 * @throws KindredError not-found for an index that is not there; failed-precondition without an index or queries; deadline-exceeded
 *   when not even one query was answered
 */
export async function measureRecall(
  deps: MeasureRecallDeps,
  collection: Collection,
  wish: MeasurementWish,
  limits: CallLimits,
): Promise<RecallMeasurement> {
  const deadline = performance.now() + wish.maxMs;
  const index = await deps.probe.index(collection, wish.indexName, limits);
  const { k, selectivity, origin } = wish;
  const target =
    wish.effort === undefined ? (wish.recallTarget ?? collection.recallTarget) : wish.recallTarget;
  const effort = wish.effort ?? (await effortFor(deps, collection, index, wish, limits));
  const scan = scanAtEffort(index, effort, k);
  const queries = await sampleQueries(
    deps.samples,
    collection,
    { count: wish.queries, origin },
    { signal: limits.signal, timeoutMs: Math.min(limits.timeoutMs ?? Infinity, SAMPLING_MS) },
  );
  const shared = {
    metric: measuredMetric(collection, index),
    candidateLimit: k,
    ...(selectivity < 1 && { sampledShare: selectivity }),
  };
  const answered = await runBatches(
    deps.probe,
    collection,
    queries,
    async (snapshot, { vector, recent }) => {
      const exact = await snapshot.ask({ ...shared, vector, scan: { method: "exact" } });
      const found = await snapshot.ask({ ...shared, vector, scan });
      const recall = recallOf(exact, found, k);
      return recall === undefined ? undefined : { recall, recent, exactMs: exact.ms, indexMs: found.ms };
    },
    { signal: limits.signal, deadline },
  );
  if (answered.length === 0) {
    throw new KindredError(
      "failed-precondition",
      `there is nothing to find in ${JSON.stringify(collection.name)}${selectivity < 1 ? " under such a filter" : ""}`,
    );
  }
  const { recall, lower, upper } = recallInterval(
    answered.map((each) => each.recall),
    k,
    wish.confidence,
  );
  return await deps.recall.keepMeasurement(
    {
      collection: collection.name,
      indexName: index.name,
      indexOid: index.oid,
      k,
      effort,
      selectivity,
      recall,
      lower,
      upper,
      confidence: wish.confidence,
      queries: answered.length,
      recentQueries: answered.filter((each) => each.recent).length,
      indexMs: median(answered.map((each) => each.indexMs)),
      exactMs: median(answered.map((each) => each.exactMs)),
      recallTarget: target,
      rows: await deps.probe.estimatedRows(collection),
    },
    limits,
  );
}

async function effortFor(
  { recall }: Pick<MeasureRecallDeps, "recall">,
  collection: Collection,
  index: VectorIndex,
  { k, selectivity, recallTarget }: MeasurementWish,
  limits: CallLimits,
): Promise<Effort> {
  const curves = (await recall.curves(collection.name, limits)).get(index.name) ?? [];
  const target = recallTarget ?? collection.recallTarget;
  return chooseEffort(index, curves, { target, k, selectivity }).effort;
}

/** Measures in turn: one measurement of a collection is enough for its database. */
export type MeasureRecall = (
  collection: Collection,
  wish: MeasurementWish,
  limits: CallLimits,
) => Promise<RecallMeasurement>;

/** When trying again makes sense. */
const RETRY_AFTER_MS = 5000;

/** @throws KindredError resource-exhausted, with a retry delay, while this process measures the collection already */
export function oneAtATime(measure: MeasureRecall): MeasureRecall {
  const measuring = new Set<string>();
  return async (collection, wish, limits) => {
    const { name } = collection;
    if (measuring.has(name)) {
      throw new KindredError(
        "resource-exhausted",
        `recall of ${JSON.stringify(name)} is being measured already`,
        {
          retryAfterMs: RETRY_AFTER_MS,
        },
      );
    }
    measuring.add(name);
    try {
      return await measure(collection, wish, limits);
    } finally {
      measuring.delete(name);
    }
  };
}
