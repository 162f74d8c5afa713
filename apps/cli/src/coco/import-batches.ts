import { isKindredError } from "@kindred/errors";
import { delayBefore, isPassing } from "@kindred/rpc";
import { Patience, type PatienceDeps } from "../patience.ts";
import type { Batch } from "./batches.ts";

/** What storing one batch did, or what all of them did. */
export interface Counts {
  imagesAdded: number;
  imagesExisting: number;
  embeddingsAdded: number;
  embeddingsExisting: number;
}

export interface ImportDeps extends PatienceDeps {
  /** Stores one batch, whole or not at all; a batch that is stored already adds nothing. Throws KindredErrors. */
  send: (batch: Batch, signal: AbortSignal) => Promise<Counts>;
  /** Which part of a stored batch was added since the import began, whoever was told so. */
  countSinceStart: (batch: Batch, signal: AbortSignal) => Promise<Counts>;
  /** A batch is stored for certain. */
  onStored: (batch: Batch) => void;
}

export interface ImportOptions {
  /** Batches that are under way at the same time; that many are in memory. */
  inFlight: number;
  /** Gives up when no batch was stored for this long, in milliseconds. */
  patienceMs: number;
  signal?: AbortSignal;
}

export interface ImportOutcome {
  counts: Counts;
  /** Batches that are stored for certain. */
  stored: number;
  /** Batches that were sent without an answer: each is stored or not; sending it again is safe. */
  unconfirmed: number;
  /** Why it ended early; undefined when everything is stored. */
  error: unknown;
}

/**
 * Sends batches, several at a time. One that fails for a reason that passes is sent again until it is stored, or until no batch
 * was stored for `patienceMs`. Never throws for what `send` throws: the outcome tells how far it got.
 *
 * A batch may be stored although its answer was lost; sent again, it reports what it had added itself as existing. Such a batch
 * is counted from the store instead.
 */
export async function importBatches(
  batches: Iterable<Batch>,
  deps: ImportDeps,
  options: ImportOptions,
): Promise<ImportOutcome> {
  const outcome: ImportOutcome = {
    counts: { imagesAdded: 0, imagesExisting: 0, embeddingsAdded: 0, embeddingsExisting: 0 },
    stored: 0,
    unconfirmed: 0,
    error: undefined,
  };
  const failed = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
  const patience = new Patience(deps, options.patienceMs);
  const queue = batches[Symbol.iterator]();

  const lane = async (): Promise<void> => {
    for (let next = queue.next(); !next.done && !signal.aborted; next = queue.next()) {
      const batch = next.value;
      const sent = await sendUntilStored(batch, deps, patience, signal);
      if ("counts" in sent) {
        add(outcome.counts, sent.counts);
        outcome.stored += 1;
        deps.onStored(batch);
      } else {
        if (sent.mayBeStored) outcome.unconfirmed += 1;
        // The first error is the reason; the others follow from stopping.
        if (!failed.signal.aborted) outcome.error = sent.error;
        failed.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, lane));
  if (outcome.error === undefined && options.signal?.aborted) outcome.error = options.signal.reason;
  return outcome;
}

type Sent = { counts: Counts } | { error: unknown; mayBeStored: boolean };

async function sendUntilStored(
  batch: Batch,
  deps: ImportDeps,
  patience: Patience,
  signal: AbortSignal,
): Promise<Sent> {
  // Whether an earlier attempt may have been stored without our hearing of it.
  let mayBeStored = false;
  for (let attempt = 0; ; attempt++) {
    try {
      let counts = await deps.send(batch, signal);
      patience.renew();
      if (mayBeStored && counts.imagesExisting + counts.embeddingsExisting > 0) {
        counts = await deps.countSinceStart(batch, signal);
      }
      return { counts };
    } catch (error) {
      mayBeStored ||=
        !isKindredError(error) || !["invalid-argument", "resource-exhausted"].includes(error.kind);
      if (signal.aborted || !isPassing(error) || patience.isOver(error)) return { error, mayBeStored };
      try {
        await deps.sleep(delayBefore(attempt, error), signal);
      } catch {
        return { error, mayBeStored };
      }
    }
  }
}

function add(total: Counts, counts: Counts): void {
  total.imagesAdded += counts.imagesAdded;
  total.imagesExisting += counts.imagesExisting;
  total.embeddingsAdded += counts.embeddingsAdded;
  total.embeddingsExisting += counts.embeddingsExisting;
}
