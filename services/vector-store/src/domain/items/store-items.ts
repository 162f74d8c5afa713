import { invalidField, isKindredError } from "@kindred/errors";
import type { ItemStore } from "../item-ports.ts";
import type { ItemRow } from "../item.ts";
import { keyTaken } from "../key-taken.ts";
import type { CallLimits } from "../ports.ts";
import { retryAborted } from "../retry-aborted.ts";
import { TOO_MANY_WORDS } from "../text-problem.ts";
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

/** Stores a batch that was prepared before; prepares it again when the collection has changed under it. */
export async function storeBatch(
  deps: StoreItemsDeps,
  batch: ItemBatch,
  prepared: PreparedItemBatch,
  options: PrepareItemsOptions,
): Promise<StoredItemBatch> {
  const spaceId = prepared.items.collection.space?.id;
  return await retryAborted(async (attempt) => {
    if (attempt === 1) return await storePrepared(deps, batch, prepared, options);
    // Vectors that came without a space are of the one that the collection had.
    const vectors = batch.items.texts.length === 0 && batch.spaceId === "" && spaceId !== undefined;
    const again = vectors ? { ...batch, spaceId } : batch;
    const checked = await checkBatch(deps, again, options);
    const items = await completeItems(deps, again, checked, options);
    return await storePrepared(deps, again, items, options);
  });
}

async function storePrepared(
  deps: { items: Pick<ItemStore, "store"> },
  batch: ItemBatch,
  prepared: PreparedItemBatch,
  limits: CallLimits,
): Promise<StoredItemBatch> {
  const { items, rejected } = prepared;
  if (items.rows.length === 0) return { inserted: 0, replaced: 0, skipped: prepared.skipped, rejected };
  try {
    const stored = await deps.items.store(items, limits);
    return { ...stored, skipped: prepared.skipped + stored.skipped.length, rejected };
  } catch (error) {
    const row = isKindredError(error) ? items.rows.findIndex(({ key }) => key === error.metadata["key"]) : -1;
    if (!isKindredError(error) || row === -1) throw error;
    const position = prepared.positions[row] as number;
    const { key } = items.rows[row] as ItemRow;
    if (error.kind === "already-exists")
      throw keyTaken(items.collection.name, key, `${batch.fields.items}.keys[${position}]`);
    if (error.kind !== "invalid-argument") throw error;
    const column = batch.items.documents[position] ? "documents" : "texts";
    if (batch.badRows === "reject-batch")
      throw invalidField(`${batch.fields.items}.${column}[${position}]`, TOO_MANY_WORDS);
    const refused = { position, key, reason: `${column} ${TOO_MANY_WORDS}` };
    return await storePrepared(deps, batch, without(prepared, row, refused), limits);
  }
}

/** The others, when the database has refused a row. */
function without(prepared: PreparedItemBatch, row: number, refused: RejectedRow): PreparedItemBatch {
  const { items, positions, rejected } = prepared;
  return {
    ...prepared,
    items: { ...items, rows: items.rows.toSpliced(row, 1) },
    positions: positions.toSpliced(row, 1),
    rejected: [...rejected, refused].toSorted((a, b) => a.position - b.position),
  };
}
