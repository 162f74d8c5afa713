import { KindredError } from "@kindred/errors";
import type { GenerationProgress } from "./generation.ts";
import { foundAsItStands, type LifeDeps } from "./end-generation.ts";
import { notRunning } from "./generation-errors.ts";

/**
 * Says that a running generation is alive, and how far it is.
 * @returns until when the next report has to come, in microseconds since 1970
 * @throws KindredError not-found; failed-precondition when it does not run any more.
 */
export async function reportProgress(
  deps: LifeDeps,
  id: bigint,
  progress: Omit<GenerationProgress, "reportedAtMicros"> | undefined,
): Promise<bigint> {
  const until = await deps.lives.report(id, progress);
  if (until !== undefined) return until;
  const generation = await foundAsItStands(deps, id);
  if (generation.status !== "running") throw notRunning(generation);
  throw new KindredError("aborted", `generation ${id} was changed meanwhile: try again`, { retryAfterMs: 0 });
}
