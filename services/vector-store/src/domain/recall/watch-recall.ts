import type { RecallMeasurement } from "./recall.ts";

type Measured = Pick<RecallMeasurement, "recall" | "lower" | "upper" | "recallTarget">;

/**
 * What a measurement changes: recall is below the target where not even the upper end of its interval reaches it, and the target is met again,
 * after it was not, where the measured recall reaches it. In between nothing is said, so that chance alone makes no noise.
 * @param last what was last told of the same index, target and kind of search
 */
export function eventOf(
  { recall, upper, recallTarget }: Measured,
  last: { met: boolean } | undefined,
): { met: boolean } | undefined {
  if (recallTarget === undefined) return undefined;
  const below = last?.met === false;
  if (!below && upper < recallTarget) return { met: false };
  return below && recall >= recallTarget ? { met: true } : undefined;
}

interface RecallLog {
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

/** Tells people when the target is not met any more, and when it is again. */
export function watchRecall(
  { log }: { log: RecallLog },
  measurement: RecallMeasurement,
  event: { met: boolean } | undefined,
): void {
  if (!event) return;
  const { collection, indexName, k, effort, recall, lower, upper, recallTarget } = measurement;
  const fields = { collection, index: indexName, k, effort, recall, lower, upper, target: recallTarget };
  if (event.met) log.info(fields, "recall meets its target again");
  else log.warn(fields, "recall is below its target: tune the index, or build it again");
}
