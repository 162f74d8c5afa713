import { isKindredError } from "@kindred/errors";
import type { GenerationFilter } from "../generation-filter.ts";
import type { GenerationStore } from "../generation-store.ts";
import type { Generation } from "../generation.ts";
import type { CallLimits } from "../lineage/ports.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { NearPrompt, PromptCollection } from "./prompt-collection.ts";

/** Of so many of the nearest prompts the generations are looked at, if there is a filter. */
const MOST_LOOKED_AT = 10_000;
/** In one search. */
const MOST_AT_A_TIME = 1000;
/** Of a filter that so few generations pass, each of them is compared, and nothing is missed. */
const FEW = 1000;
/** Hits whose generations may be gone, without a second search. */
const SLACK = 8;

/** Which generations pass filters. Errors are KindredErrors. */
export interface FilteredIds {
  /** At most `limit` of those that pass, in any order. @param among only these; undefined: all generations */
  passing(
    filter: GenerationFilter,
    limit: number,
    among: readonly bigint[] | undefined,
    limits: CallLimits,
  ): Promise<bigint[]>;
}

export interface SearchPromptsDeps {
  collection: Pick<PromptCollection, "nearest">;
  filtered: FilteredIds;
  store: Pick<GenerationStore, "findMany">;
  outbox: Pick<Outbox, "pendingPrompts">;
  /** Hears when there is no collection. */
  onMissing: () => void;
}

export interface PromptSearch {
  query: string;
  /** 1 to 1,000. */
  k: number;
  threshold: number | undefined;
  /** Undefined: all generations. */
  filter: GenerationFilter | undefined;
}

export interface PromptHit {
  generation: Generation;
  similarity: number;
}

/**
 * The generations whose prompts are nearest to the query, the nearest first. Where few generations pass the filter, their prompts are compared, all
 * of them; otherwise the filter looks at the nearest prompts, until k have passed.
 * @throws KindredError unavailable while the vector store cannot be asked
 */
export async function searchPrompts(
  deps: SearchPromptsDeps,
  search: PromptSearch,
  limits: CallLimits,
): Promise<{ hits: PromptHit[]; pending: bigint; incomplete: boolean }> {
  const { filter } = search;
  // Counted before the search: whatever was on its way by then is counted, or found.
  const pending = await deps.outbox.pendingPrompts(limits);
  try {
    const few = filter === undefined ? undefined : await fewPassing(deps, filter, limits);
    const found =
      few === undefined
        ? await searchNearest(deps, search, limits)
        : await searchAmong(deps, search, few, limits);
    return { ...found, pending };
  } catch (error) {
    // Nothing was ever added, or somebody has deleted it: either way there is nothing to find, and the outbox says how much is missing.
    if (!isKindredError(error) || error.kind !== "not-found") throw error;
    deps.onMissing();
    return { hits: [], pending, incomplete: false };
  }
}

async function fewPassing(
  { filtered }: SearchPromptsDeps,
  filter: GenerationFilter,
  limits: CallLimits,
): Promise<bigint[] | undefined> {
  const ids = await filtered.passing(filter, FEW + 1, undefined, limits);
  return ids.length <= FEW ? ids : undefined;
}

async function searchAmong(
  deps: SearchPromptsDeps,
  { query, k, threshold, filter }: PromptSearch,
  ids: readonly bigint[],
  limits: CallLimits,
): Promise<{ hits: PromptHit[]; incomplete: boolean }> {
  if (ids.length === 0) return { hits: [], incomplete: false };
  const near = await deps.collection.nearest({ text: query, k, offset: 0, threshold, among: ids }, limits);
  return { hits: await withGenerations(deps, near, filter, limits), incomplete: false };
}

async function searchNearest(
  deps: SearchPromptsDeps,
  { query, k, threshold, filter }: PromptSearch,
  limits: CallLimits,
): Promise<{ hits: PromptHit[]; incomplete: boolean }> {
  const hits: PromptHit[] = [];
  // What is added and removed meanwhile moves the pages: a prompt may come twice.
  const seen = new Set<bigint>();
  let size = Math.min(MOST_AT_A_TIME, filter === undefined ? k + SLACK : 4 * k + SLACK);
  for (let offset = 0; offset < MOST_LOOKED_AT;) {
    const wanted = Math.min(size, MOST_LOOKED_AT - offset);
    const near = await deps.collection.nearest(
      { text: query, k: wanted, offset, threshold, among: undefined },
      limits,
    );
    const fresh = near.filter(({ generationId }) => !seen.has(generationId));
    for (const { generationId } of fresh) seen.add(generationId);
    hits.push(...(await withGenerations(deps, fresh, filter, limits)));
    if (hits.length >= k) return { hits: hits.slice(0, k), incomplete: false };
    // There are no more, or none that are near enough.
    if (near.length < wanted) return { hits, incomplete: false };
    offset += wanted;
    size = MOST_AT_A_TIME;
  }
  return { hits, incomplete: true };
}

/** The generations that are there and pass the filter, in the order of their prompts. */
async function withGenerations(
  { filtered, store }: SearchPromptsDeps,
  near: readonly NearPrompt[],
  filter: GenerationFilter | undefined,
  limits: CallLimits,
): Promise<PromptHit[]> {
  if (near.length === 0) return [];
  const ids = near.map(({ generationId }) => generationId);
  const wanted = filter === undefined ? ids : await filtered.passing(filter, ids.length, ids, limits);
  const found = await store.findMany(wanted);
  const byId = new Map(found.map((generation) => [generation.id, generation]));
  return near.flatMap(({ generationId, similarity }) => {
    const generation = byId.get(generationId);
    return generation ? [{ generation, similarity }] : [];
  });
}
