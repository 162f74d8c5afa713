import { prepareBatch, type PrepareDeps, type PrepareOptions } from "./prepare-batch.ts";
import type { ImageBatch } from "./new-image.ts";
import type { CatalogueWriter, PreparedBatch, StoredBatch } from "./ports.ts";
import { retryAborted } from "./retry-aborted.ts";

export interface StoreDeps extends PrepareDeps {
  catalogue: PrepareDeps["catalogue"] & Pick<CatalogueWriter, "store">;
}

export interface BatchSummary {
  stored: StoredBatch;
  imagesAdded: number;
  imagesExisting: number;
  embeddingsAdded: number;
  embeddingsExisting: number;
}

/** Prepares and stores one batch, whole or not at all. */
export async function storeImages(
  deps: StoreDeps,
  batch: ImageBatch,
  options: PrepareOptions,
): Promise<BatchSummary> {
  return await storePrepared(deps, batch, await prepareBatch(deps, batch, options), options);
}

/** Stores a batch that was prepared before; prepares it again when the catalogue has changed under it. */
export async function storePrepared(
  deps: StoreDeps,
  batch: ImageBatch,
  prepared: PreparedBatch,
  options: PrepareOptions,
): Promise<BatchSummary> {
  return await retryAborted(async (attempt) => {
    const current = attempt === 1 ? prepared : await prepareBatch(deps, batch, options);
    return summarise(batch, await deps.catalogue.store(current, options));
  });
}

function summarise(batch: ImageBatch, stored: StoredBatch): BatchSummary {
  const imagesAdded = stored.images.filter((image) => image.added).length;
  const embeddingsAdded = stored.embeddingIds.filter((id) => id !== undefined).length;
  const embeddings = batch.images.reduce((sum, image) => sum + image.embeddings.length, 0);
  return {
    stored,
    imagesAdded,
    imagesExisting: stored.images.length - imagesAdded,
    embeddingsAdded,
    embeddingsExisting: embeddings - embeddingsAdded,
  };
}
