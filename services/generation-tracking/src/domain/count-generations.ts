import type { GenerationFilter } from "./generation-filter.ts";
import type { GenerationLists } from "./generation-lists.ts";
import type { CallLimits } from "./operations/operation.ts";

/** @param limit counts no further; undefined: all of them. @returns whether there are more than `count` */
export async function countGenerations(
  deps: { lists: Pick<GenerationLists, "count"> },
  filter: GenerationFilter,
  limit: number | undefined,
  limits: CallLimits,
): Promise<{ count: number; limited: boolean }> {
  if (limit === undefined)
    return { count: await deps.lists.count(filter, undefined, limits), limited: false };
  const found = await deps.lists.count(filter, limit + 1, limits);
  return { count: Math.min(found, limit), limited: found > limit };
}
