import type { Collection } from "../collection.ts";
import type { CallLimits } from "../ports.ts";
import type { RecallCurve, RecallPoint, RecallStore } from "../recall/recall.ts";
import type { IndexUpkeep, KnownIndex } from "./index-upkeep.ts";

const K = 10;
const MEASUREMENTS = 100;

/** An index as people are told of it. */
export interface DescribedIndex extends KnownIndex {
  collection: string;
  /** The effort that meets the collection's recall target, or the cheapest of the largest recall; undefined before it was tuned. */
  effort: number | undefined;
  /** recall@10 that was last measured at that effort. */
  recall: number | undefined;
}

export interface DescribeIndexesDeps {
  indexes: Pick<IndexUpkeep, "list">;
  recall: Pick<RecallStore, "curves" | "measurements">;
}

/** The indexes of a collection, by name; none where vectors are kept as JSON. */
export async function describeIndexes(
  { indexes, recall }: DescribeIndexesDeps,
  collection: Collection,
  limits: CallLimits,
): Promise<DescribedIndex[]> {
  if (collection.layout.vector.storage === "json") return [];
  const known = await indexes.list(collection, limits);
  if (known.length === 0) return [];
  const curves = await recall.curves(collection.name, limits);
  const measurements = await recall.measurements(
    { collection: collection.name, indexName: undefined, beforeId: undefined, limit: MEASUREMENTS },
    limits,
  );
  return known.map((index) => {
    const curve = curves.get(index.name)?.find(({ k, selectivity }) => k === K && selectivity === 1);
    const point = curve && pointFor(curve, collection.recallTarget);
    const measured = measurements.find(
      ({ indexName, k, effort, selectivity, measuredAt }) =>
        indexName === index.name &&
        k === K &&
        selectivity === 1 &&
        effort === point?.effort &&
        curve !== undefined &&
        measuredAt >= curve.tunedAt,
    );
    return {
      ...index,
      collection: collection.name,
      effort: point?.effort,
      recall: measured?.recall ?? point?.recall,
    };
  });
}

function pointFor({ points }: RecallCurve, target: number): RecallPoint | undefined {
  const most = Math.max(...points.map(({ recall }) => recall));
  return points.find(({ lower }) => lower >= target) ?? points.find(({ recall }) => recall === most);
}
