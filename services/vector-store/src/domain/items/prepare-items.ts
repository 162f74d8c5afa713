import { invalidField, KindredError } from "@kindred/errors";
import { vectorBytes, type Collection } from "../collection.ts";
import { parseSpaceId, SPACE_ID_FORM, spaceMismatch, type EmbeddingSpace } from "../embedding-space.ts";
import type { CollectionRepository, ItemStore, PreparedItems } from "../item-ports.ts";
import type { ItemRow } from "../item.ts";
import { keyTaken } from "../key-taken.ts";
import type { PackedVector } from "../packed-vector.ts";
import type { EmbeddingPort, EmbedOptions } from "../ports.ts";
import { checkItems, vectorAt, type CheckedItems } from "./check-items.ts";
import type { ItemBatch, RejectedRow } from "./new-items.ts";
import { requireOwnMetadata, requireWritable } from "./writable.ts";

export interface PrepareItemsDeps {
  collections: Pick<CollectionRepository, "get">;
  items: Pick<ItemStore, "known">;
  embedding: Pick<EmbeddingPort, "embed">;
}

export type PrepareItemsOptions = Pick<EmbedOptions, "priority" | "signal" | "timeoutMs">;

/** A batch that is ready to be stored. */
export interface PreparedItemBatch {
  items: PreparedItems;
  /** Position in the batch of each of the rows. */
  positions: readonly number[];
  rejected: readonly RejectedRow[];
  /** Rows that are there already and stay: they were not even embedded. */
  skipped: number;
}

/** What is known of a batch before its texts are embedded. */
export interface CheckedBatch extends CheckedItems {
  collection: Collection;
  /** The space that the caller names, or the collection has; undefined when neither is there. */
  space: EmbeddingSpace | undefined;
  skipped: number;
}

/**
 * Checks a batch, and finds out which of its texts need not be embedded.
 * @throws KindredError invalid-argument, failed-precondition for another space than the collection's, not-found, already-exists
 */
export async function checkBatch(
  deps: Pick<PrepareItemsDeps, "collections" | "items">,
  batch: ItemBatch,
  options: PrepareItemsOptions,
): Promise<CheckedBatch> {
  const collection = await deps.collections.get(batch.collection);
  requireWritable(collection);
  if (batch.items.metadata.length > 0) requireOwnMetadata(collection, "metadata");
  if (batch.items.documents.length > 0) requireOwnMetadata(collection, "documents");
  const space = requireSpace(collection, batch);
  const checked = { ...checkItems(collection, batch), collection, space, skipped: 0 };
  // What is stored already is not embedded again; vectors cost nothing.
  if (batch.items.texts.length === 0 || batch.onConflict === "replace") return checked;
  const known = await deps.items.known(collection, checked.keys, options);
  const taken = checked.keys.findIndex((key) => known.has(key));
  if (taken === -1) return checked;
  if (batch.onConflict === "error") {
    const key = checked.keys[taken] as string;
    throw keyTaken(collection.name, key, `${batch.fields.items}.keys[${checked.positions[taken]}]`);
  }
  const isNew = (_: unknown, i: number): boolean => !known.has(checked.keys[i] as string);
  const keys = checked.keys.filter(isNew);
  return {
    ...checked,
    keys,
    positions: checked.positions.filter(isNew),
    skipped: checked.keys.length - keys.length,
  };
}

/** Has its texts embedded, in one call that is made at once. */
export async function completeItems(
  deps: Pick<PrepareItemsDeps, "embedding">,
  batch: ItemBatch,
  checked: CheckedBatch,
  options: PrepareItemsOptions,
): Promise<PreparedItemBatch> {
  const { collection, positions, keys, rejected, skipped } = checked;
  const { items, onConflict, writeMethod } = batch;
  const texts = items.texts.length > 0 ? positions.map((position) => items.texts[position] as string) : [];
  const embedded =
    texts.length > 0 ? await embed(deps, collection, checked.space, texts, options) : undefined;
  const rows = positions.map((position, i): ItemRow => {
    const text = collection.kind === "managed" ? items.texts[position] : undefined;
    return {
      key: keys[i] as string,
      vector: embedded?.vectors[i] ?? vectorAt(collection, items, position),
      metadata: items.metadata[position],
      document: items.documents[position] || text,
    };
  });
  const named = batch.spaceId === "" ? undefined : checked.space;
  return {
    items: { collection, rows, space: embedded?.space ?? named, onConflict, writeMethod },
    positions,
    rejected,
    skipped,
  };
}

async function embed(
  { embedding }: Pick<PrepareItemsDeps, "embedding">,
  collection: Collection,
  expected: EmbeddingSpace | undefined,
  texts: readonly string[],
  options: PrepareItemsOptions,
): Promise<{ vectors: PackedVector[]; space: EmbeddingSpace }> {
  if (collection.elementType === "bit") {
    throw new KindredError(
      "failed-precondition",
      `the collection ${JSON.stringify(collection.name)} keeps bits, and texts are embedded into numbers: give vectors`,
    );
  }
  const { vectors, space } = await embedding.embed(texts, { ...options, expectedSpaceId: expected?.id });
  if (space.dimensions !== collection.dimensions) {
    throw new KindredError(
      "failed-precondition",
      `the collection ${JSON.stringify(collection.name)} keeps vectors of ${collection.dimensions} dimensions, those of ` +
        `${JSON.stringify(space.id)} have ${space.dimensions}`,
    );
  }
  const bytes = vectorBytes(collection);
  return { vectors: texts.map((_, i) => vectors.subarray(i * bytes, (i + 1) * bytes)), space };
}

function requireSpace(
  { space: pinned, name }: Collection,
  { spaceId, fields }: ItemBatch,
): EmbeddingSpace | undefined {
  if (spaceId === "") return pinned;
  if (pinned) {
    if (pinned.id !== spaceId) throw spaceMismatch(pinned.id, spaceId, name);
    return pinned;
  }
  const named = parseSpaceId(spaceId);
  if (named) return named;
  throw invalidField(
    fields.spaceId,
    `must be the id of an embedding space, ${SPACE_ID_FORM}, is ${JSON.stringify(spaceId)}`,
  );
}
