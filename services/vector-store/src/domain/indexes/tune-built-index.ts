import { isKindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import type { RecallPoint } from "../recall/recall.ts";
import { DEFAULT_TUNING_MS } from "./build-spec.ts";
import type { RecallTuner, StepContext } from "./index-ports.ts";

const QUERIES = 200;

/** What tuning found: at which effort the target is met, or else the most that can be had. */
export interface Tuning {
  met: boolean;
  point: RecallPoint;
}

/** Undefined where there is too little to learn from, which is noted. */
export async function tuneBuiltIndex(
  { tuner, tuningMs }: { tuner: RecallTuner; tuningMs?: number | undefined },
  collection: Collection,
  indexName: string,
  wantedMs: number | undefined,
  step: StepContext,
): Promise<Tuning | undefined> {
  const longest = tuningMs ?? DEFAULT_TUNING_MS;
  const maxMs = Math.min(longest, wantedMs ?? longest);
  try {
    const { reached, best } = await tuner.tune(
      collection,
      indexName,
      { recallTarget: collection.recallTarget, queries: QUERIES, origin: "mixed", maxMs },
      step,
    );
    return { met: reached !== undefined, point: reached ?? best };
  } catch (error) {
    if (step.signal.aborted || !isKindredError(error) || error.kind !== "failed-precondition") throw error;
    step.note(`its recall was not measured: ${error.message}`);
    return undefined;
  }
}

/** E.g. "recall@10 0.941 (at least 0.932) at effort 400". */
export function tuningText({ point }: Tuning): string {
  return `recall@10 ${point.recall.toFixed(3)} (at least ${point.lower.toFixed(3)}) at effort ${point.effort}`;
}
