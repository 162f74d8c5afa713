import { KindredError } from "@kindred/errors";
import { delayBefore, isPassing } from "@kindred/rpc";
import { Patience, type PatienceDeps } from "../patience.ts";
import type { Embedded } from "./embed-call.ts";
import type { TextBatch } from "./text-batches.ts";

export interface BulkDeps extends PatienceDeps {
  /** Embeds one batch into the space; any space when that is empty. Throws KindredErrors. */
  embed: (batch: TextBatch, spaceId: string, signal: AbortSignal) => Promise<Embedded>;
}

export interface BulkOptions {
  /** Calls that are under way at the same time; that many batches and answers are in memory. */
  inFlight: number;
  /** Gives up when no call succeeded for this long, in milliseconds. */
  patienceMs: number;
  /** Ends it with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Embeds batches, several at a time, and gives the answers in the order of the batches. Batches are read only as fast as answers are
 * taken. A call that fails for a reason that passes is made again. All vectors are of one space: that of the first answer.
 * Leaving the loop early gives up the calls under way.
 * @throws what a call failed with, KindredError failed-precondition when the service changes its model meanwhile, or the signal's reason.
 */
export async function* embedInOrder(
  batches: AsyncIterable<TextBatch>,
  deps: BulkDeps,
  options: BulkOptions,
): AsyncGenerator<{ batch: TextBatch; embedded: Embedded }> {
  const over = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, over.signal]) : over.signal;
  const patience = new Patience(deps, options.patienceMs);
  const source = batches[Symbol.asyncIterator]();
  const underWay: Promise<{ batch: TextBatch; embedded: Embedded }>[] = [];
  let spaceId = "";
  let ended = false;
  const begin = (batch: TextBatch): void => {
    const call = embedPatiently(batch, () => spaceId, deps, patience, signal).then((embedded) => ({
      batch,
      embedded,
    }));
    // It is awaited when its turn comes, which a failure before it may prevent.
    call.catch(() => undefined);
    underWay.push(call);
  };
  try {
    for (;;) {
      while (!ended && underWay.length < options.inFlight) {
        options.signal?.throwIfAborted();
        const next = await source.next();
        if (next.done) ended = true;
        else begin(next.value);
      }
      const first = underWay.shift();
      if (!first) return;
      const answer = await first;
      const { id } = answer.embedded.space;
      if (spaceId !== "" && id !== spaceId) throw spaceChanged(spaceId, id);
      spaceId = id;
      yield answer;
    }
  } catch (error) {
    // Everything under way ends with the same wish; what it says of it is not of interest.
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    over.abort();
    await Promise.allSettled(underWay);
    await source.return?.();
  }
}

async function embedPatiently(
  batch: TextBatch,
  spaceId: () => string,
  deps: BulkDeps,
  patience: Patience,
  signal: AbortSignal,
): Promise<Embedded> {
  for (let attempt = 0; ; attempt++) {
    try {
      const embedded = await deps.embed(batch, spaceId(), signal);
      patience.renew();
      return embedded;
    } catch (error) {
      if (signal.aborted || !isPassing(error) || patience.isOver(error)) throw error;
      await deps.sleep(delayBefore(attempt, error), signal);
    }
  }
}

function spaceChanged(before: string, after: string): KindredError {
  return new KindredError(
    "failed-precondition",
    `the embedding service changed its model meanwhile: the first vectors are of ${before}, later ones of ${after}`,
  );
}
