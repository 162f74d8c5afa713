import { isKindredError, KindredError } from "@kindred/errors";
import { completeBatch, lookUp } from "./prepare-batch.ts";
import type { ImageBatch } from "./new-image.ts";
import type { CallLimits, CatalogueWriter, PreparedBatch } from "./ports.ts";
import { inOrder } from "./in-order.ts";
import { storePrepared, type BatchSummary, type StoreDeps } from "./store-images.ts";

export interface ImportDeps extends StoreDeps {
  catalogue: StoreDeps["catalogue"] & Pick<CatalogueWriter, "refreshStatistics">;
}

/** What a stream of batches did. */
export interface ImportSummary {
  batches: number;
  imagesAdded: number;
  imagesExisting: number;
  embeddingsAdded: number;
  embeddingsExisting: number;
}

/** Adding so many rows changes what the planner should know about the tables. */
const STATISTICS_WORTH_ROWS = 1000;

/**
 * Stores a stream of batches, each in one transaction, while the next ones are being embedded: see inOrder. An error's metadata
 * says how much was stored (batches_stored, images_added, embeddings_added).
 */
export async function importBatches(
  deps: ImportDeps,
  batches: AsyncIterable<ImageBatch>,
  limits: CallLimits,
): Promise<ImportSummary> {
  const summary: ImportSummary = {
    batches: 0,
    imagesAdded: 0,
    imagesExisting: 0,
    embeddingsAdded: 0,
    embeddingsExisting: 0,
  };
  let lookedUp: Promise<unknown> = Promise.resolve();
  /** One after the other, so that batches are embedded in the order in which they will be stored. */
  const prepare = async (batch: ImageBatch, left: CallLimits): Promise<PreparedBatch> => {
    const options = { ...left, priority: "bulk" as const };
    const lookup = lookedUp.then(() => lookUp(deps, batch, options));
    lookedUp = lookup.catch(() => undefined);
    return await completeBatch(deps, batch, await lookup, options);
  };
  const store = (batch: ImageBatch, prepared: PreparedBatch, left: CallLimits): Promise<BatchSummary> =>
    storePrepared(deps, batch, prepared, { ...left, priority: "bulk" });
  try {
    for await (const stored of inOrder(batches, { prepare, store }, limits)) add(summary, stored);
    return summary;
  } catch (error) {
    throw withProgress(error, summary);
  } finally {
    if (summary.embeddingsAdded >= STATISTICS_WORTH_ROWS) await deps.catalogue.refreshStatistics();
  }
}

function add(summary: ImportSummary, batch: Omit<ImportSummary, "batches">): void {
  summary.batches += 1;
  summary.imagesAdded += batch.imagesAdded;
  summary.imagesExisting += batch.imagesExisting;
  summary.embeddingsAdded += batch.embeddingsAdded;
  summary.embeddingsExisting += batch.embeddingsExisting;
}

/** Says how much was stored; what is no KindredError is a defect and stays as it is. */
function withProgress(error: unknown, summary: ImportSummary): unknown {
  if (!isKindredError(error)) return error;
  return new KindredError(error.kind, error.message, {
    cause: error,
    violations: error.violations,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    metadata: {
      ...error.metadata,
      batches_stored: String(summary.batches),
      images_added: String(summary.imagesAdded),
      embeddings_added: String(summary.embeddingsAdded),
    },
  });
}
