import { isKindredError, KindredError } from "@kindred/errors";
import { completeBatch, lookUp } from "./prepare-batch.ts";
import type { ImageBatch } from "./new-image.ts";
import type { CallLimits, CatalogueWriter, PreparedBatch } from "./ports.ts";
import { storePrepared, type StoreDeps } from "./store-images.ts";

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

/**
 * Batches that are being embedded while one is written. With two, the embedding service always has the next one in its
 * queue when it finishes one; more would only hold more vectors in memory.
 */
const AHEAD = 2;

/** Adding so many rows changes what the planner should know about the tables. */
const STATISTICS_WORTH_ROWS = 1000;

/**
 * Stores a stream of batches in their order, each in one transaction, while the next ones are being embedded. A batch
 * is taken from the stream only when there is room for it, which holds back a sender that is faster than the store.
 *
 * When one fails, be it by its content, its embedding or its transaction, those before it are stored and those behind
 * it are not; the error's metadata says how much was stored (batches_stored, images_added, embeddings_added).
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
  const abandon = new AbortController();
  const options = {
    priority: "bulk" as const,
    timeoutMs: limits.timeoutMs,
    signal: limits.signal ? AbortSignal.any([limits.signal, abandon.signal]) : abandon.signal,
  };

  let lookedUp: Promise<unknown> = Promise.resolve();
  /** One after the other, so that batches are embedded in the order in which they will be stored. */
  const prepareInTurn = async (batch: ImageBatch): Promise<PreparedBatch> => {
    const before = lookedUp;
    const lookup = before.then(() => lookUp(deps, batch, options));
    lookedUp = lookup.catch(() => undefined);
    return await completeBatch(deps, batch, await lookup, options);
  };
  /** Resolves when the batch and all before it are stored. */
  const storeAfter = async (before: Promise<void>, batch: ImageBatch): Promise<void> => {
    const prepared = observed(prepareInTurn(batch));
    await before;
    add(summary, await storePrepared(deps, batch, await prepared, options));
  };

  let last = Promise.resolve();
  try {
    try {
      const unfinished: Promise<void>[] = [];
      const failure = Promise.withResolvers<never>();
      for await (const batch of until(observed(failure.promise), batches)) {
        last = observed(storeAfter(last, batch));
        last.catch(failure.reject);
        unfinished.push(last);
        if (unfinished.length > AHEAD) await unfinished.shift();
      }
    } catch (error) {
      // The stream broke or its next batch is no good: what came before it still counts.
      await last;
      throw error;
    }
    await last;
    return summary;
  } catch (error) {
    throw withProgress(error, summary);
  } finally {
    abandon.abort(new KindredError("cancelled", "an earlier batch of the stream failed"));
    if (summary.embeddingsAdded >= STATISTICS_WORTH_ROWS) await deps.catalogue.refreshStatistics();
  }
}

/** The same promise; if it rejects before anybody waits for it, that is no unhandled rejection. */
function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** The source's items until `failure` rejects, which is noticed while the source is silent too. */
async function* until<T>(failure: Promise<never>, source: AsyncIterable<T>): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([observed(iterator.next()), failure]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Not waited for: a source that is asked for its next item returns only after that.
    void observed(Promise.resolve(iterator.return?.()));
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
