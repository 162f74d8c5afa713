import { isKindredError } from "@kindred/errors";
import { pause } from "@kindred/operations";
import type { CollectionRepository } from "../item-ports.ts";
import type { IndexUpkeep } from "./index-upkeep.ts";

export interface ReconcileDeps {
  collections: Pick<CollectionRepository, "list">;
  indexes: Pick<IndexUpkeep, "removeLeftovers">;
  log: { debug(fields: object, message: string): void };
}

/**
 * Removes what interrupted builds have left in any collection on which nobody works; what could not be removed is left to the next time.
 * What users have left is not touched.
 * @returns the names of the indexes that are gone now
 * @throws KindredError when the database cannot be reached
 */
export async function reconcileIndexes(deps: ReconcileDeps, signal?: AbortSignal): Promise<string[]> {
  const gone: string[] = [];
  for (const collection of await deps.collections.list()) {
    if (collection.layout.vector.storage === "json") continue;
    try {
      gone.push(...(await deps.indexes.removeLeftovers(collection, signal)));
    } catch (error) {
      if (signal?.aborted || !isKindredError(error) || error.kind === "unavailable") throw error;
      // Its table may be gone, or locked: other collections are not to wait for it.
      deps.log.debug(
        { err: error, collection: collection.name },
        "leftovers of index builds were not looked for",
      );
    }
  }
  return gone;
}

const EVERY_MS = 60_000;

/** Reconciles now and each minute until it is disposed of. */
export function keepReconciled(deps: ReconcileDeps, everyMs: number = EVERY_MS): AsyncDisposable {
  const stopping = new AbortController();
  const { signal } = stopping;
  const keeping = (async () => {
    while (!signal.aborted) {
      try {
        await reconcileIndexes(deps, signal);
      } catch (error) {
        if (!signal.aborted) deps.log.debug({ err: error }, "leftovers of index builds were not looked for");
      }
      await pause(everyMs, signal);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await keeping;
    },
  };
}
