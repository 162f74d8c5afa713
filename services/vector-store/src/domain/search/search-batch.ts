import { isKindredError, type KindredError } from "@kindred/errors";
import { countDown } from "../call-limits.ts";
import type { Collection } from "../collection.ts";
import type { CallLimits } from "../ports.ts";
import { embedTexts, textsOf, type EmbeddedTexts } from "./query-vector.ts";
import { search, type SearchDeps, type SearchResult } from "./search.ts";
import type { SearchQuery } from "./search-query.ts";

/** Searches that run at the same time: they share the pool's connections with everybody else. */
const AT_ONCE = 4;

/** What one search gave. */
export type SearchOutcome = SearchResult | KindredError;

/**
 * Several searches; the texts of those in one collection are embedded in one call. Each succeeds or fails on its own.
 * @returns parallel to the queries; a query that could not be read is its error already
 */
export async function searchBatch(
  deps: SearchDeps,
  queries: readonly (SearchQuery | KindredError)[],
  limits: CallLimits,
): Promise<SearchOutcome[]> {
  const left = countDown(limits);
  const embedded = new Map<string, Promise<EmbeddedTexts>>();
  const embedTogether = (collection: Collection): Promise<EmbeddedTexts> => {
    const { name } = collection;
    // It may be in another space when a search is done anew.
    const shared = `${name}\n${collection.space?.id ?? ""}`;
    const texts = queries.flatMap((query) =>
      isKindredError(query) || query.collection !== name ? [] : textsOf(query),
    );
    const vectors = embedded.get(shared) ?? embedTexts(deps, collection, texts, left());
    embedded.set(shared, vectors);
    return vectors;
  };
  const outcomes: SearchOutcome[] = [];
  const waiting = queries.entries();
  const work = async (): Promise<void> => {
    for (const [i, query] of waiting) {
      outcomes[i] = isKindredError(query) ? query : await outcomeOf(deps, query, left(), embedTogether);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcomes;
}

async function outcomeOf(
  deps: SearchDeps,
  query: SearchQuery,
  limits: CallLimits,
  embedTogether: (collection: Collection) => Promise<EmbeddedTexts>,
): Promise<SearchOutcome> {
  try {
    return await search(deps, query, limits, async (collection, texts) =>
      texts.length === 0 ? new Map() : await embedTogether(collection),
    );
  } catch (error) {
    if (isKindredError(error)) return error;
    throw error;
  }
}
