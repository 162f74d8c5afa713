import type { GenerationOrder, ListPosition } from "./generation-filter.ts";
import type { GenerationLists } from "./generation-lists.ts";
import type { Generation } from "./generation.ts";
import { decodePageToken, encodePageToken, type ListedGenerations } from "./page-token.ts";

/**
 * One page of generations. Pages are stable: one begins behind the last generation of the page before, whatever is recorded or deleted
 * meanwhile.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listGenerations(
  deps: { lists: Pick<GenerationLists, "list"> },
  request: ListedGenerations & { pageSize: number; pageToken: string },
): Promise<{ generations: Generation[]; nextPageToken: string }> {
  const { filters, order, pageSize } = request;
  const after = decodePageToken(request, request.pageToken);
  // One more than asked for: it tells whether there is a next page.
  const found = await deps.lists.list({ filters, order, after, limit: pageSize + 1 });
  const generations = found.slice(0, pageSize);
  const last = generations.at(-1);
  return {
    generations,
    nextPageToken: found.length > pageSize && last ? encodePageToken(request, positionOf(last, order)) : "",
  };
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
