import { invalidFields, type FieldViolation, invalidField, isKindredError } from "@kindred/errors";
import type { Filter } from "../filter.ts";
import type { JsonObject } from "../image.ts";
import type { CollectionRepository, ItemStore } from "../item-ports.ts";
import type { CallLimits } from "../ports.ts";
import { retryAborted } from "../retry-aborted.ts";
import { metadataProblem, textProblem, TOO_MANY_WORDS } from "../text-problem.ts";
import { readKeys, requireDistinct } from "./read-items.ts";
import { requireOwnMetadata, requireWritable } from "./writable.ts";

export interface ChangeItemsDeps {
  collections: Pick<CollectionRepository, "get">;
  items: Pick<ItemStore, "updateMetadata" | "remove">;
}

export interface MetadataChanges {
  collection: string;
  keys: readonly string[];
  /** One a key, or none at all; likewise documents. */
  metadata: readonly JsonObject[];
  documents: readonly string[];
  merge: boolean;
}

/**
 * Changes metadata and documents, all or nothing, and leaves the vectors alone.
 * @returns how many items were changed
 * @throws KindredError not-found when a key is not there; failed-precondition for registered tables and the images catalogue.
 */
export async function updateMetadata(
  deps: ChangeItemsDeps,
  changes: MetadataChanges,
  limits: CallLimits,
): Promise<number> {
  return await retryAborted(async () => {
    const collection = await deps.collections.get(changes.collection);
    requireWritable(collection);
    requireOwnMetadata(collection, "metadata and documents");
    checkValues(changes);
    const keys = readKeys(collection, changes.keys, "keys");
    requireDistinct(keys, "keys");
    const rows = keys.map((key, i) => ({
      key,
      metadata: changes.metadata[i],
      document: changes.documents[i],
    }));
    try {
      return await deps.items.updateMetadata(collection, rows, { merge: changes.merge }, limits);
    } catch (error) {
      const position =
        isKindredError(error) && error.kind === "invalid-argument"
          ? keys.indexOf(error.metadata["key"] ?? "")
          : -1;
      throw position === -1 ? error : invalidField(`documents[${position}]`, TOO_MANY_WORDS);
    }
  });
}

function checkValues({ keys, metadata, documents }: MetadataChanges): void {
  const violations: FieldViolation[] = [];
  for (const [field, { length }] of Object.entries({ metadata, documents })) {
    if (length !== 0 && length !== keys.length)
      violations.push({ field, description: `must be one a key (${keys.length}) or none, are ${length}` });
  }
  if (metadata.length === 0 && documents.length === 0)
    violations.push({ field: "metadata", description: "is required where no documents are given" });
  for (const [i, value] of metadata.entries()) {
    const problem = metadataProblem(value);
    if (problem !== undefined) violations.push({ field: `metadata[${i}]`, description: problem });
  }
  for (const [i, value] of documents.entries()) {
    const problem = textProblem(value);
    if (problem !== undefined) violations.push({ field: `documents[${i}]`, description: problem });
  }
  if (violations.length > 0) throw invalidFields(violations.slice(0, 20));
}

/** Deletes items, all or nothing. @returns how many are gone */
export async function deleteItems(
  deps: ChangeItemsDeps,
  request: { collection: string; which: { keys: readonly string[] } | { filter: Filter } },
  limits: CallLimits,
): Promise<number> {
  return await retryAborted(async () => {
    const collection = await deps.collections.get(request.collection);
    requireWritable(collection);
    const { which } = request;
    const wanted = "keys" in which ? { keys: readKeys(collection, which.keys, "keys.keys") } : which;
    return await deps.items.remove(collection, wanted, limits);
  });
}
