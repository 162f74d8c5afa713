import { KindredError } from "@kindred/errors";
import type { CollectionRepository } from "../item-ports.ts";
import type { JsonObject } from "../image.ts";
import type { RecallTuner, TunedIndex } from "../indexes/index-ports.ts";
import type { OperationHandler } from "../operations/operation.ts";
import type { RecallProbe } from "./recall-ports.ts";
import type { QueryOrigin, RecallPoint } from "./recall.ts";

export const DEFAULT_TUNING = { queries: 400, maxMs: 300_000 } as const;

/** What a tuning is asked for. */
export interface TuningWish {
  /** Undefined: the index that searches use when it begins. */
  indexName: string | undefined;
  queries: number;
  origin: QueryOrigin;
  maxMs: number;
}

/** What the operation keeps of the wish. */
export function tuningSpec({ indexName, queries, origin, maxMs }: TuningWish): JsonObject {
  return {
    ...(indexName !== undefined && { index_name: indexName }),
    queries,
    source: origin,
    max_duration_ms: maxMs,
  };
}

const ORIGINS: readonly unknown[] = ["auto", "recent", "stored", "mixed"] satisfies QueryOrigin[];

function readSpec(spec: JsonObject): TuningWish {
  const { index_name: indexName, queries, source, max_duration_ms: maxMs } = spec;
  if (typeof queries !== "number" || typeof maxMs !== "number" || !ORIGINS.includes(source)) {
    throw new KindredError("internal", `no wish for a tuning: ${JSON.stringify(spec)}`);
  }
  return {
    indexName: typeof indexName === "string" ? indexName : undefined,
    queries,
    origin: source as QueryOrigin,
    maxMs,
  };
}

/** Tunes an index. It only reads until it keeps the curves: after a crash it begins again, and there is nothing to clean up. */
export function recallTuningHandler(deps: {
  collections: Pick<CollectionRepository, "get">;
  probe: Pick<RecallProbe, "index">;
  tuner: RecallTuner;
  /** Whoever chooses efforts by the curves. */
  onTuned: () => void;
}): OperationHandler {
  return {
    kind: "recall-tuning",
    async run({ operation, signal, report, note }) {
      const { indexName, ...wish } = readSpec(operation.spec);
      const collection = await deps.collections.get(operation.subject);
      const { recallTarget } = collection;
      const index = await deps.probe.index(collection, indexName, { signal });
      const tuned = await deps.tuner.tune(
        collection,
        index.name,
        { recallTarget, ...wish },
        {
          signal,
          note,
          report: ({ detail, ...counts }) =>
            report({ phase: `tune: ${detail}`, phaseNumber: 1, phaseCount: 1, ...counts }),
        },
      );
      deps.onTuned();
      if (!tuned.reached) {
        note(
          `No effort is sure to reach the target of ${recallTarget}: the most that was found is ${tuned.best.recall.toFixed(4)} ` +
            `at ${tuned.best.effort}.`,
        );
      }
      return { index_name: index.name, recall_target: recallTarget, ...tuningResult(tuned) };
    },
    cleanUp: async () => {},
  };
}

/** Curves in short, for whoever looks at the operation. */
export function tuningResult({ curves, reached, best }: TunedIndex): JsonObject {
  const point = ({ effort, recall, lower, ms }: RecallPoint): JsonObject => ({ effort, recall, lower, ms });
  return {
    target_met: reached !== undefined,
    ...(reached && { reached: point(reached) }),
    best: point(best),
    curves: curves.map(({ k, selectivity, points, queries, recentQueries }) => ({
      k,
      filter_selectivity: selectivity,
      queries,
      recent_queries: recentQueries,
      points: points.map(point),
    })),
  };
}
