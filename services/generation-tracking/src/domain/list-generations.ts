import { pageTokens } from "@kindred/page-tokens";
import type { GenerationFilter, GenerationOrder, ListPosition } from "./generation-filter.ts";
import type { GenerationLists } from "./generation-lists.ts";
import type { Generation } from "./generation.ts";
import type { CallLimits } from "./operations/operation.ts";

/** What a list is of, in which order: a page token belongs to it. */
export interface ListedGenerations {
  /** All of them have to hold. */
  filters: readonly GenerationFilter[];
  order: GenerationOrder;
}

const tokens = pageTokens({
  name: "generations",
  position: [["none", "integer", "float"], "integer"],
  fixed: "filters and order",
});

/**
 * One page of generations. Pages are stable: one begins behind the last generation of the page before, whatever is recorded or deleted
 * meanwhile.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listGenerations(
  deps: { lists: Pick<GenerationLists, "list"> },
  request: ListedGenerations & { pageSize: number; pageToken: string },
  limits: CallLimits,
): Promise<{ generations: Generation[]; nextPageToken: string }> {
  const { filters, order, pageSize } = request;
  const begin = tokens.open({ filters, order }, request.pageToken);
  const after = begin && { value: begin[0], id: begin[1] };
  const { generations, more } = await deps.lists.list({ filters, order, after, limit: pageSize }, limits);
  const last = generations.at(-1);
  if (!more || !last) return { generations, nextPageToken: "" };
  const { value, id } = positionOf(last, order);
  return { generations, nextPageToken: tokens.seal({ filters, order }, [value, id]) };
}

/** Where a generation is in an order. */
export function positionOf(generation: Generation, { key }: GenerationOrder): ListPosition {
  switch (key) {
    case "created_at":
      return { value: generation.createdAtMicros, id: generation.id };
    case "generation_time_ms":
      return { value: generation.generationTimeMs, id: generation.id };
    case "memory_usage_mb":
      return { value: generation.memoryUsageMb, id: generation.id };
    case "rating":
      return { value: generation.rating, id: generation.id };
  }
}
