import { isDeepStrictEqual } from "node:util";
import { isKindredError, KindredError, messageOf } from "@kindred/errors";
import { sqlStateOf } from "@kindred/postgres";
import type { Collection } from "../../domain/collection.ts";
import type { CollectionRepository, ItemSearch, ItemStore, TextSearch } from "../../domain/item-ports.ts";
import type { RecallProbe } from "../../domain/recall/recall-ports.ts";

/**
 * What statements fail with when a table is not what its collection said: data of another form (22000, 22P03), no such column,
 * other types of columns, no such operator, no such table; and a table of vectors of another embedding space that takes nothing any
 * more (the migration `reembedding`).
 */
const CHANGED = new Set(["22000", "22P03", "42703", "42804", "42883", "42P01", "KV001"]);
/** Of those, what no second look makes better. */
const GONE = new Set(["42703", "42P01"]);

/** What is no table (a materialized view), and what a trigger of its owner's will not have. */
const REFUSED = new Set(["42809", "P0001"]);

/** Where the collection is looked at again at once. */
const RETRY_AFTER_MS = 50;

/** Runs work on a collection that is remembered, and may have changed since. */
type OnCollection = <T>(collection: Collection, work: () => Promise<T>) => Promise<T>;

/**
 * A collection is remembered for a moment, in which it may be deleted, `kindred db upgrade-vectors` may replace its column, and the
 * owner of a registered table may do whatever she likes; or it may have moved into another embedding space. What then fails is not-found, aborted with a retry delay, or
 * failed-precondition; the collection is read again by whoever asks next.
 */
export function onCurrentCollections(
  collections: Pick<CollectionRepository, "get" | "forget">,
): OnCollection {
  const explained = async (error: unknown, used: Collection): Promise<unknown> => {
    const state = sqlStateOf(error) ?? "";
    // Whoever tries again should not see what was remembered.
    if (isKindredError(error) && error.kind === "aborted") collections.forget();
    if (used.kind === "registered" && REFUSED.has(state)) return refused(used, error);
    // A vector of another length than the collection's is noticed here, before anybody compares it.
    if (!CHANGED.has(state) && !(error instanceof RangeError)) return error;
    collections.forget();
    const { name, kind } = used;
    if (kind === "registered" && GONE.has(state)) return unfit(used, error);
    let now: Collection;
    try {
      now = await collections.get(name);
    } catch (failure) {
      return isKindredError(failure) && failure.kind === "not-found" ? failure : error;
    }
    if (now.dimensions !== used.dimensions || !isDeepStrictEqual(now.layout, used.layout)) {
      return new KindredError(
        "aborted",
        `the tables of ${JSON.stringify(name)} have just changed: try again`,
        {
          cause: error,
          retryAfterMs: RETRY_AFTER_MS,
        },
      );
    }
    return kind === "registered" && state.startsWith("42") ? unfit(used, error) : error;
  };
  return async (collection, work) => {
    try {
      return await work();
    } catch (error) {
      throw await explained(error, collection);
    }
  };
}

function refused({ name }: Collection, error: unknown): KindredError {
  return new KindredError(
    "failed-precondition",
    `the table of ${JSON.stringify(name)} cannot be written to: ${messageOf(error)}`,
    { cause: error },
  );
}

function unfit({ name }: Collection, error: unknown): KindredError {
  return new KindredError(
    "failed-precondition",
    `the table of ${JSON.stringify(name)} is no longer as it was registered (${messageOf(error)}): ` +
      "put that right, or delete the collection and register it again",
    { cause: error },
  );
}

export function itemsOfCurrent(items: ItemStore, on: OnCollection): ItemStore {
  return {
    ...items,
    store: (prepared, limits) => on(prepared.collection, () => items.store(prepared, limits)),
    known: (collection, ...rest) => on(collection, () => items.known(collection, ...rest)),
    updateMetadata: (collection, ...rest) => on(collection, () => items.updateMetadata(collection, ...rest)),
    get: (collection, ...rest) => on(collection, () => items.get(collection, ...rest)),
    remove: (collection, ...rest) => on(collection, () => items.remove(collection, ...rest)),
    list: (collection, ...rest) => on(collection, () => items.list(collection, ...rest)),
    analyze: (collection, limits) => on(collection, () => items.analyze(collection, limits)),
    async *export(collection, ...rest) {
      const batches = items.export(collection, ...rest)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const { done, value } = await on(collection, () => batches.next());
          if (done) return;
          yield value;
        }
      } finally {
        await batches.return?.();
      }
    },
  };
}

export function searchOfCurrent(search: ItemSearch, on: OnCollection): ItemSearch {
  return {
    state: (collection) => on(collection, () => search.state(collection)),
    countMatching: (collection, ...rest) => on(collection, () => search.countMatching(collection, ...rest)),
    passingShare: (collection, ...rest) => on(collection, () => search.passingShare(collection, ...rest)),
    nearest: (query, limits) => on(query.collection, () => search.nearest(query, limits)),
    distances: (query, limits) => on(query.collection, () => search.distances(query, limits)),
    explain: (query, ...rest) => on(query.collection, () => search.explain(query, ...rest)),
  };
}

export function probeOfCurrent(probe: RecallProbe, on: OnCollection): RecallProbe {
  return {
    inSnapshot: (collection, ...rest) => on(collection, () => probe.inSnapshot(collection, ...rest)),
    index: (collection, ...rest) => on(collection, () => probe.index(collection, ...rest)),
    estimatedRows: (collection) => on(collection, () => probe.estimatedRows(collection)),
  };
}

export function textsOfCurrent(texts: TextSearch, on: OnCollection): TextSearch {
  return { matches: (collection, ...rest) => on(collection, () => texts.matches(collection, ...rest)) };
}
