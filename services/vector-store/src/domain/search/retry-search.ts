import type { CollectionRepository } from "../item-ports.ts";
import { retryAborted } from "../retry-aborted.ts";
import type { QuerySource, SearchQuery } from "./search-query.ts";

/**
 * Does a search anew, with texts embedded again, where the collection has changed under it, e.g. moved into another embedding space.
 * Vectors that come without a space are taken to be of the collection's: of that which it had when it was first looked at.
 */
export async function retrySearch<T>(
  collections: Pick<CollectionRepository, "get">,
  asked: SearchQuery,
  work: (query: SearchQuery) => Promise<T>,
): Promise<T> {
  let first: string | undefined;
  return await retryAborted(async (attempt) => {
    const spaceId = (await collections.get(asked.collection)).space?.id;
    if (attempt === 1) first = spaceId;
    return await work(first === undefined || first === spaceId ? asked : ofSpace(asked, first));
  });
}

/** The query with a space for its vectors, where it names none. */
function ofSpace(query: SearchQuery, spaceId: string): SearchQuery {
  const { by } = query;
  if (by.kind === "image") return query;
  const named = <S extends QuerySource>(source: S): S =>
    source.kind === "vector" && source.spaceId === "" ? { ...source, spaceId } : source;
  return {
    ...query,
    by:
      by.kind === "several"
        ? { ...by, queries: by.queries.map((each) => ({ ...each, source: named(each.source) })) }
        : named(by),
  };
}
