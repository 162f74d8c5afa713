import { isKindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import type { CollectionRepository } from "../item-ports.ts";
import type { CallLimits } from "../ports.ts";
import type { RecallMeasurement, RecallStore } from "../recall/recall.ts";
import { adviseCollection, byUrgency } from "./advise.ts";
import type { CollectionState, IndexAdvice } from "./index-advice.ts";
import type { IndexFacts } from "./index-facts.ts";
import type { IndexUpkeep, KnownIndex } from "./index-upkeep.ts";

/** What looking over a collection takes. */
export interface CollectionStateDeps {
  facts: Pick<IndexFacts, "table" | "server">;
  indexes: Pick<IndexUpkeep, "list">;
  recall: Pick<RecallStore, "curves" | "measurements">;
  /** Below so many rows there is no index by itself, where a collection's policy does not say. */
  minRows: number;
  /** Most memory that a build may take in the database, in bytes. */
  memoryBytes: number;
  /** Cores that the database is taken to have. */
  cores: number;
}

/** Enough to find the latest of every index that a collection may have. */
const MEASUREMENTS = 50;

export async function readCollectionState(
  deps: CollectionStateDeps,
  collection: Collection,
  limits: CallLimits,
): Promise<CollectionState> {
  const json = collection.layout.vector.storage === "json";
  const indexes = json ? [] : await deps.indexes.list(collection, limits);
  const { name: collectionName, indexPolicy } = collection;
  const query = {
    collection: collectionName,
    indexName: undefined,
    beforeId: undefined,
    limit: MEASUREMENTS,
  };
  return {
    collection,
    table: await deps.facts.table(collection, limits),
    server: await deps.facts.server(limits),
    indexes,
    curves: await deps.recall.curves(collectionName, limits),
    measurements: latestOf(indexes, await deps.recall.measurements(query, limits), collection.recallTarget),
    minRows: indexPolicy.minRows ?? deps.minRows,
    limits: { memoryBytes: deps.memoryBytes, cores: deps.cores },
  };
}

/** The latest one of each index for the collection's target; none from before it was built. */
function latestOf(
  indexes: readonly KnownIndex[],
  measurements: readonly RecallMeasurement[],
  recallTarget: number,
): Map<string, RecallMeasurement> {
  const found = new Map<string, RecallMeasurement>();
  for (const measured of measurements) {
    const index = indexes.find(({ name }) => name === measured.indexName);
    const comparable = measured.selectivity === 1 && measured.recallTarget === recallTarget;
    if (!index || !comparable || found.has(index.name)) continue;
    if (index.built === undefined || measured.measuredAt >= index.built.at) found.set(index.name, measured);
  }
  return found;
}

export interface IndexAdvisor {
  /**
   * The most urgent first, and by collection.
   * @param name undefined: all collections
   * @throws KindredError not-found
   */
  advise(name: string | undefined, limits: CallLimits): Promise<IndexAdvice[]>;
}

export function indexAdvisor(
  deps: CollectionStateDeps & { collections: Pick<CollectionRepository, "get" | "list"> },
): IndexAdvisor {
  return {
    async advise(name, limits) {
      if (name !== undefined) return await adviceFor(deps, await deps.collections.get(name), limits);
      const advice: IndexAdvice[] = [];
      for (const collection of await deps.collections.list()) {
        try {
          advice.push(...(await adviceFor(deps, collection, limits)));
        } catch (error) {
          // Deleted since it was listed.
          if (!isKindredError(error) || error.kind !== "not-found") throw error;
        }
      }
      return advice.toSorted(byUrgency);
    },
  };
}

async function adviceFor(
  deps: CollectionStateDeps,
  collection: Collection,
  limits: CallLimits,
): Promise<IndexAdvice[]> {
  return adviseCollection(await readCollectionState(deps, collection, limits));
}
