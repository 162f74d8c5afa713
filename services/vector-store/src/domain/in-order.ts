import { KindredError } from "@kindred/errors";
import type { CallLimits } from "./ports.ts";

/**
 * Batches that are being prepared while one is stored. With two, the embedding service always has the next one in its queue when
 * it finishes one; more would only hold more vectors in memory.
 */
const AHEAD = 2;

export interface BatchSteps<B, P, R> {
  /** Begins in the order of the batches; may go on at the same time for several. */
  prepare(batch: B, limits: CallLimits): Promise<P>;
  /** One at a time, in the order of the batches. */
  store(batch: B, prepared: P, limits: CallLimits): Promise<R>;
}

/**
 * Stores a stream of batches in their order while the next ones are prepared, and gives each one's result as soon as it is stored. A
 * batch is taken from the stream only when there is room for it, which holds back a sender that is faster than the store.
 *
 * When one fails, be it that it cannot be read, prepared or stored, those before it are stored and their results are given; then
 * its error is thrown, and those behind it are not stored. Whoever ends the iteration early ends what is going on.
 */
export async function* inOrder<B, P, R>(
  source: AsyncIterable<B>,
  { prepare, store }: BatchSteps<B, P, R>,
  limits: CallLimits,
): AsyncGenerator<R, void> {
  const abandon = new AbortController();
  const signal = limits.signal ? AbortSignal.any([limits.signal, abandon.signal]) : abandon.signal;
  const options: CallLimits = { ...limits, signal };
  const storeAfter = async (before: Promise<unknown>, batch: B): Promise<Stored<R>> => {
    const prepared = observed(prepare(batch, options));
    await before;
    return { kind: "stored", result: await store(batch, await prepared, options) };
  };

  const iterator = source[Symbol.asyncIterator]();
  let next: Promise<Taken<B>> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let end: Ended | undefined;
  const unfinished: Promise<Stored<R>>[] = [];
  try {
    for (;;) {
      if (!end && unfinished.length <= AHEAD) next ??= take(iterator);
      const first = unfinished[0];
      const waiting = [...(first ? [first] : []), ...(next ? [next] : [])];
      if (waiting.length === 0) break;
      const event = await Promise.race(waiting);
      switch (event.kind) {
        case "stored":
          unfinished.shift();
          yield event.result;
          break;
        case "batch": {
          next = undefined;
          const stored = observed(storeAfter(last, event.batch));
          last = stored;
          unfinished.push(stored);
          break;
        }
        case "ended":
          next = undefined;
          end = event;
          break;
      }
    }
    if (end && "error" in end) throw end.error;
  } finally {
    abandon.abort(new KindredError("cancelled", "an earlier batch of the stream failed"));
    // Not waited for: a source that is asked for its next item returns only after that.
    void observed(Promise.resolve(iterator.return?.()));
    // What was begun is over before the caller goes on.
    await Promise.allSettled(unfinished);
  }
}

interface Stored<R> {
  kind: "stored";
  result: R;
}

type Ended = { kind: "ended" } | { kind: "ended"; error: unknown };

type Taken<B> = { kind: "batch"; batch: B } | Ended;

async function take<B>(iterator: AsyncIterator<B>): Promise<Taken<B>> {
  try {
    const next = await iterator.next();
    return next.done ? { kind: "ended" } : { kind: "batch", batch: next.value };
  } catch (error) {
    return { kind: "ended", error };
  }
}

/** The same promise; if it rejects before anybody waits for it, that is no unhandled rejection. */
function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
