import type { CollectionRepository, ItemSearch, TextSearch } from "../item-ports.ts";
import type { SearchQuery } from "./search-query.ts";

/**
 * A copy of the database that follows it. Its index list, row counts and curves are its own: it answers by what it has. Its calls
 * throw a ReplicaFault for what the primary may do better.
 */
export interface SearchReplica {
  search: ItemSearch;
  texts: TextSearch;
}

/** The copies that there are. */
export interface SearchReplicas {
  /** One whose data is known to be at most so far behind; by default as is configured. Undefined when there is none. */
  choose(maxStalenessMs: number | undefined): SearchReplica | undefined;
}

/** What a search fails with because a replica answered it; the cause says how. */
export class ReplicaFault extends Error {
  override readonly name = "ReplicaFault";
  constructor(cause: unknown) {
    super("a read replica could not answer", { cause });
  }
}

/** Where searches are made. */
export interface ReplicaDeps {
  search: ItemSearch;
  texts: TextSearch;
  /** Undefined: there are none. */
  replicas?: SearchReplicas | undefined;
  /** Whether `search` and `texts` are a replica's. */
  onReplica?: boolean | undefined;
}

/**
 * Does the work on a replica that is fresh enough, and otherwise, or when the replica fails it, on the primary. Vectors of stored
 * items that a query names are read from the primary in any case: what was just added can be asked with.
 */
export async function onReplica<
  D extends ReplicaDeps & { collections: Pick<CollectionRepository, "get"> },
  T,
>(
  deps: D,
  { collection, maxStalenessMs }: Pick<SearchQuery, "collection" | "maxStalenessMs">,
  work: (near: D) => Promise<T>,
): Promise<T> {
  const replica = deps.replicas?.choose(maxStalenessMs);
  if (!replica) return await work(deps);
  // Those are compared in this process, which remembers them as the primary has them.
  const { layout } = await deps.collections.get(collection);
  if (layout.vector.storage === "json") return await work(deps);
  try {
    return await work({ ...deps, ...replica, onReplica: true });
  } catch (error) {
    if (!(error instanceof ReplicaFault)) throw error;
    return await work(deps);
  }
}
