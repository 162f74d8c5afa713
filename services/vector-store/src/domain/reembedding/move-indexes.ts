import { isKindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import type {
  IndexBuilding,
  IndexForecast,
  IndexPlanner,
  RecallTuner,
  StepContext,
} from "../indexes/index-ports.ts";
import { specOfIndex } from "../indexes/index-as-spec.ts";
import { indexName } from "../indexes/index-names.ts";
import { ANY_INDEX, type IndexWish } from "../indexes/index-spec.ts";
import type { ItemSearch } from "../item-ports.ts";
import type { VectorIndex } from "../vector-index.ts";
import type { MovedIndex, SpaceMove } from "./reembedding-ports.ts";

export interface MoveIndexesDeps {
  search: Pick<ItemSearch, "state">;
  planner: IndexPlanner;
  building: IndexBuilding;
  tuner: RecallTuner;
}

const TUNING_QUERIES = 200;
const MOST_TUNING_MS = 120_000;

/**
 * Builds for the new table what serves searches of the old one, and finds out how it does: without an index there is none, until the
 * collection's policy wants one. What the other dimensions do not permit becomes what the planner would choose.
 */
export async function buildIndexes(
  deps: MoveIndexesDeps,
  { from, to }: SpaceMove,
  step: StepContext,
): Promise<MovedIndex[]> {
  if (from.indexPolicy.kind === "none") return [];
  const { indexes, estimatedRows } = await deps.search.state(from);
  const moved: MovedIndex[] = [];
  const finalLayout = { ...to.layout, vectors: finalTable(from, to) };
  for (const index of indexes) {
    const forecast = await forecastFor(deps.planner, to, index, estimatedRows, step);
    if (!forecast) continue;
    const [name, finalName] = [to.layout, finalLayout].map((layout) =>
      indexName(layout, forecast.spec, to.elementType),
    ) as [string, string];
    if (moved.some((other) => other.name === name)) continue;
    await deps.building.build(to, forecast.spec, name, forecast, step);
    moved.push({ name, finalName });
    // Managed collections' indexes are called after their tables, which are others then; images' are not.
    const ruled = indexName(from.layout, specOfIndex(index), from.elementType);
    if (finalName !== index.name && (from.kind === "images" || index.name !== ruled))
      step.note(`the index ${index.name} of the old space is replaced by ${finalName}`);
    await tune(deps.tuner, to, name, step);
  }
  return moved;
}

/** The images' new table takes the name of the old one in the end. */
function finalTable(from: Collection, to: Collection): Collection["layout"]["vectors"] {
  return from.kind === "images" ? from.layout.vectors : to.layout.vectors;
}

async function forecastFor(
  planner: IndexPlanner,
  to: Collection,
  index: VectorIndex,
  rows: number,
  { signal, note }: StepContext,
): Promise<IndexForecast | undefined> {
  const { m, efConstruction } = to.indexPolicy;
  const like: IndexWish = { ...ANY_INDEX, metric: index.metric };
  const same: IndexWish = {
    ...like,
    method: index.method,
    quantization: index.quantization,
    m,
    efConstruction,
  };
  const options = { recallTarget: to.recallTarget, rows, calibrate: false };
  try {
    return (await planner.plan(to, same, options, { signal })).chosen;
  } catch (error) {
    if (!isKindredError(error) || error.kind !== "invalid-argument") throw error;
    note(`the new space cannot have an index like ${index.name}: ${error.message}`);
    return (await planner.plan(to, like, options, { signal })).chosen;
  }
}

/** Which effort meets the target is known before the first search. Too few rows to learn from are no reason to stop. */
async function tune(tuner: RecallTuner, to: Collection, name: string, step: StepContext): Promise<void> {
  const { recallTarget } = to;
  try {
    // Recent queries are of the old space.
    const options = {
      recallTarget,
      queries: TUNING_QUERIES,
      origin: "stored",
      maxMs: MOST_TUNING_MS,
    } as const;
    const { reached, best } = await tuner.tune(to, name, options, step);
    if (!reached) {
      step.note(
        `the index ${name} reaches a recall of ${best.recall.toFixed(3)} at effort ${best.effort}, and not the target of ${recallTarget}`,
      );
    }
  } catch (error) {
    if (!isKindredError(error) || error.kind !== "failed-precondition") throw error;
    step.note(`the recall of ${name} could not be measured: ${error.message}`);
  }
}
