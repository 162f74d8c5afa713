import { isKindredError } from "@kindred/errors";
import type { ItemStore } from "../item-ports.ts";
import { keyTaken } from "../key-taken.ts";
import type { CallLimits } from "../ports.ts";
import { retryAborted } from "../retry-aborted.ts";
import type { ItemBatch, RejectedRow } from "./new-items.ts";
import {
  checkBatch,
  completeItems,
  type PreparedItemBatch,
  type PrepareItemsDeps,
  type PrepareItemsOptions,
} from "./prepare-items.ts";

export interface StoreItemsDeps extends PrepareItemsDeps {
  items: Pick<ItemStore, "known" | "store">;
}

/** What became of a batch. */
export interface StoredItemBatch {
  inserted: number;
  replaced: number;
  /** Items that were there already and stayed as they were. */
  skipped: number;
  /** By position. */
  rejected: readonly RejectedRow[];
}

/** Prepares and stores one batch, whole or not at all, but for the rows that are to be left out. */
export async function upsertItems(
  deps: StoreItemsDeps,
  batch: ItemBatch,
  options: PrepareItemsOptions,
): Promise<StoredItemBatch> {
  const checked = await checkBatch(deps, batch, options);
  return await storeBatch(deps, batch, await completeItems(deps, batch, checked, options), options);
}

/** Stores a batch that was prepared before. */
export async function storeBatch(
  deps: { items: Pick<ItemStore, "store"> },
  batch: ItemBatch,
  prepared: PreparedItemBatch,
  limits: CallLimits,
): Promise<StoredItemBatch> {
  const { items, rejected } = prepared;
  if (items.rows.length === 0) return { inserted: 0, replaced: 0, skipped: prepared.skipped, rejected };
  try {
    const stored = await retryAborted(() => deps.items.store(items, limits));
    return { ...stored, skipped: prepared.skipped + stored.skipped.length, rejected };
  } catch (error) {
    throw positioned(error, batch, prepared);
  }
}

/** Says where in the request the key is that is taken. */
function positioned(error: unknown, batch: ItemBatch, { items, positions }: PreparedItemBatch): unknown {
  if (!isKindredError(error) || error.kind !== "already-exists") return error;
  const row = items.rows.findIndex(({ key }) => key === error.metadata["key"]);
  if (row === -1) return error;
  const { key } = items.rows[row] as { key: string };
  return keyTaken(items.collection.name, key, `${batch.fields.items}.keys[${positions[row]}]`);
}
