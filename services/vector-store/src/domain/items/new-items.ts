import type { JsonObject } from "../image.ts";
import type { ConflictPolicy, WriteMethod } from "../item-ports.ts";

/** Items as they come, column by column: row i is keys[i], the i-th vector or text, and so on. */
export interface NewItems {
  keys: readonly string[];
  /** Packed, one after the other; empty when texts are given. */
  vectors: Uint8Array;
  texts: readonly string[];
  /** One an item, or none at all; likewise documents. */
  metadata: readonly JsonObject[];
  documents: readonly string[];
}

export type BadRowPolicy = "reject-batch" | "skip-row";

/** Items that are stored together. */
export interface ItemBatch {
  collection: string;
  items: NewItems;
  /** Of the vectors' embedding space; empty: the caller vouches that it is the collection's. */
  spaceId: string;
  onConflict: ConflictPolicy;
  badRows: BadRowPolicy;
  writeMethod: WriteMethod;
  /** Paths in the request, for errors. */
  fields: { items: string; spaceId: string };
}

/** A row that was not stored. */
export interface RejectedRow {
  /** In the batch. */
  position: number;
  key: string;
  /** The field that is wrong, and why. */
  reason: string;
}

export const MAX_ITEMS = 10_000;
