import { isKindredError, KindredError } from "@kindred/errors";
import { inOrder } from "../in-order.ts";
import type { ItemStore } from "../item-ports.ts";
import type { CallLimits } from "../ports.ts";
import type { ItemBatch } from "./new-items.ts";
import { checkBatch, completeItems, type PreparedItemBatch } from "./prepare-items.ts";
import { storeBatch, type StoredItemBatch, type StoreItemsDeps } from "./store-items.ts";

export interface IngestDeps extends StoreItemsDeps {
  items: StoreItemsDeps["items"] & Pick<ItemStore, "analyze" | "refreshStatistics">;
}

/** One of a stream of batches. */
export interface NumberedBatch extends ItemBatch {
  /** The caller's number for it. */
  sequence: bigint;
}

/** What an Ingest reads. */
export interface IngestSource {
  batches: AsyncIterable<NumberedBatch>;
  /** The collection whose statistics are to be gathered in the end; undefined: none. Known when the batches have come to their end. */
  analyzed(): string | undefined;
}

export interface NumberedResult extends StoredItemBatch {
  sequence: bigint;
}

/** Adding so many rows changes what the planner should know about the tables. */
const STATISTICS_WORTH_ROWS = 1000;

/**
 * Stores a stream of batches of one collection, each in one transaction, while the next ones are being checked and embedded, and gives
 * each one's result when it is stored: see inOrder. An error's metadata has the `sequence` of the batch that failed; it has none when
 * all are stored and the statistics could not be gathered.
 */
export async function* ingestItems(
  deps: IngestDeps,
  { batches, analyzed }: IngestSource,
  limits: CallLimits,
): AsyncGenerator<NumberedResult, void> {
  let collectionName: string | undefined;
  let added = 0;
  let checked: Promise<unknown> = Promise.resolve();
  const prepare = (batch: NumberedBatch, left: CallLimits): Promise<PreparedItemBatch> =>
    naming(batch, async () => {
      const options = { ...left, priority: "bulk" as const };
      // One after the other, so that batches are embedded in the order in which they will be stored.
      const check = checked.then(() => checkBatch(deps, batch, options));
      checked = check.catch(() => undefined);
      return await completeItems(deps, batch, await check, options);
    });
  const store = (
    batch: NumberedBatch,
    prepared: PreparedItemBatch,
    left: CallLimits,
  ): Promise<NumberedResult> =>
    naming(batch, async () => ({
      sequence: batch.sequence,
      ...(await storeBatch(deps, batch, prepared, { ...left, priority: "bulk" })),
    }));
  try {
    for await (const result of inOrder(batches, { prepare, store }, limits)) {
      added += result.inserted;
      yield result;
    }
    const name = analyzed();
    if (name !== undefined) {
      // Once is enough.
      added = 0;
      await deps.items.analyze(await deps.collections.get(name), limits);
    }
  } finally {
    if (collectionName !== undefined && added >= STATISTICS_WORTH_ROWS)
      await refreshStatistics(collectionName);
  }

  async function naming<T>(batch: NumberedBatch, work: () => Promise<T>): Promise<T> {
    collectionName = batch.collection;
    try {
      return await work();
    } catch (error) {
      throw isKindredError(error) ? numbered(error, batch.sequence) : error;
    }
  }

  /** The collection may be gone meanwhile, and what is stored stays stored. */
  async function refreshStatistics(name: string): Promise<void> {
    const collection = await deps.collections.get(name).catch(() => undefined);
    if (collection) await deps.items.refreshStatistics(collection);
  }
}

function numbered(error: KindredError, sequence: bigint): KindredError {
  return new KindredError(error.kind, error.message, {
    cause: error,
    violations: error.violations,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    metadata: { ...error.metadata, sequence: String(sequence) },
  });
}
