import { invalidField, KindredError } from "@kindred/errors";
import type { Generation, JsonObject, JsonValue, OutputFile } from "./generation.ts";
import type { Completion, Ending, GenerationLives } from "./generation-lives.ts";
import { noGeneration, notRunning } from "./generation-errors.ts";
import type { GenerationStore } from "./generation-store.ts";

export interface LifeDeps {
  store: Pick<GenerationStore, "find">;
  lives: GenerationLives;
}

/**
 * Ends a running generation; of several that try at once one does. Ending it again in the same way returns it as it is.
 * @throws KindredError not-found when there is none; failed-precondition when it ended otherwise, or its lease was over; invalid-argument on
 *   `seed` when it was started with another one.
 */
export async function endGeneration(deps: LifeDeps, id: bigint, ending: Ending): Promise<Generation> {
  const ended = await deps.lives.end(id, ending);
  const generation = ended ? await found(deps, id) : await foundAsItStands(deps, id);
  if (ended || endedSo(generation, ending)) return generation;
  if (generation.status !== "running") throw notRunning(generation);
  if (ending.status === "completed" && ending.seed !== generation.seed)
    throw invalidField("seed", `must be ${generation.seed}, with which it was started, or not be given`);
  throw new KindredError("aborted", `generation ${id} was changed meanwhile: try again`, { retryAfterMs: 0 });
}

/** A generation whose lease is over has failed, whether a sweep has come by or not. @throws KindredError not-found */
export async function foundAsItStands(deps: LifeDeps, id: bigint): Promise<Generation> {
  await deps.lives.failAbandoned(id);
  return await found(deps, id);
}

async function found({ store }: LifeDeps, id: bigint): Promise<Generation> {
  const generation = await store.find(id);
  if (!generation) throw noGeneration(id);
  return generation;
}

/**
 * Whether a generation has ended in this way, as for a caller who asks again because the answer was lost. A failure says no more than that, and
 * so does cancelling; a completion has to have had the same result.
 */
export function endedSo(generation: Generation, ending: Ending): boolean {
  if (generation.status !== ending.status) return false;
  return ending.status !== "completed" || sameResult(generation, ending);
}

function sameResult(generation: Generation, result: Completion): boolean {
  return (
    generation.outputPath === result.outputPath &&
    generation.outputs.length === result.outputs.length &&
    result.outputs.every((output, i) => sameFile(generation.outputs[i], output)) &&
    (result.generationTimeMs === undefined || result.generationTimeMs === generation.generationTimeMs) &&
    result.memoryUsageMb === generation.memoryUsageMb &&
    (result.seed === undefined || result.seed === generation.seed) &&
    (result.modelConfig === undefined || hasMembers(generation.modelConfig, result.modelConfig))
  );
}

/** What is known of a stored file may have become more since; its state is whatever was found. */
function sameFile(stored: OutputFile | undefined, { path, sizeBytes, sha256 }: OutputFile): boolean {
  return (
    stored !== undefined &&
    stored.path === path &&
    (sizeBytes === undefined || sizeBytes === stored.sizeBytes) &&
    (sha256 === undefined || (stored.sha256 !== undefined && Buffer.compare(stored.sha256, sha256) === 0))
  );
}

function hasMembers(stored: JsonObject | undefined, members: JsonObject): boolean {
  return Object.entries(members).every(
    ([name, value]) =>
      stored !== undefined && Object.hasOwn(stored, name) && equalJson(stored[name] as JsonValue, value),
  );
}

function equalJson(a: JsonValue, b: JsonValue): boolean {
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((entry, i) => equalJson(entry, b[i] as JsonValue))
    );
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  return Object.keys(a).length === Object.keys(b).length && hasMembers(a, b);
}
