import type { Generation, GenerationFilter } from "./generation.ts";
import type { GenerationStore } from "./generation-store.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";

/**
 * One page of generations, newest first. Pages are stable: what is recorded while somebody reads them neither shifts
 * them nor appears twice.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listGenerations(
  deps: { store: GenerationStore },
  request: { filter: GenerationFilter; pageSize: number; pageToken: string },
): Promise<{ generations: Generation[]; nextPageToken: string }> {
  const { filter, pageSize } = request;
  const after = decodePageToken(filter, request.pageToken);
  // One more than asked for: it tells whether there is a next page.
  const found = await deps.store.list({ filter, after, limit: pageSize + 1 });
  const generations = found.slice(0, pageSize);
  const last = generations.at(-1);
  return {
    generations,
    nextPageToken: found.length > pageSize && last ? encodePageToken(filter, last) : "",
  };
}
